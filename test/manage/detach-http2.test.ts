import assert from "node:assert/strict";
import { once } from "node:events";
import type { EventEmitter } from "node:events";
import { createSecureServer, createServer } from "node:http2";
import type { ClientHttp2Session, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { custodianOf, manage } from "../../src/index.ts";
import { ask, kinds, openSession, settle, until } from "../protocols/http2/web.ts";
import type { Asked, Kind } from "../protocols/http2/web.ts";
import { certificate } from "../support/certificate.ts";

interface Living {
  server: Server;
  /** The server, its sockets above and below TLS, its sessions and the streams in flight. */
  emitters: Set<EventEmitter>;
  waiting: ServerHttp2Stream[];
  connect(): Promise<ClientHttp2Session>;
}

async function startServer(t: TestContext, kind: Kind): Promise<Living> {
  const server = kind === "h2" ? createSecureServer({ ...(await certificate()), allowHTTP1: true }) : createServer();
  const emitters = new Set<EventEmitter>([server]);
  const waiting: ServerHttp2Stream[] = [];
  const accepted: Socket[] = [];
  server.on("connection", (socket: Socket) => accepted.push(socket));
  for (const event of ["connection", "secureConnection", "session"]) {
    server.on(event, (one: Socket | ServerHttp2Session) => emitters.add(one));
  }
  server.on("stream", (stream: ServerHttp2Stream, { ":path": path }: { ":path": string }) => {
    if (path === "/wait") {
      waiting.push(stream);
      emitters.add(stream);
    } else stream.end(path);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    server.close();
    for (const socket of accepted) socket.destroy();
  });
  const open = async (): Promise<ClientHttp2Session> => {
    const session = await openSession(t, kind, (server.address() as AddressInfo).port);
    await new Promise((resolve) => session.ping(resolve));
    return session;
  };
  return { server, emitters, waiting, connect: open };
}

/** One idle session, and one with a body and a response in flight. */
async function fill(living: Living): Promise<{ idle: ClientHttp2Session; asked: Asked }> {
  const [idle, busy] = [await living.connect(), await living.connect()];
  await ask(idle, { ":path": "/first" }).answered;
  const asked = ask(busy, { ":path": "/wait", ":method": "POST" });
  asked.stream.write("half");
  await until(() => living.waiting.length === 1);
  await settle();
  return { idle, asked };
}

/** The names of own properties, with functions and flags, and the listeners of every event. */
function everything({ emitters }: Living): unknown[] {
  return [...emitters].map((emitter) => {
    const properties = Reflect.ownKeys(emitter)
      .filter((key) => !/^_(events|eventsCount|idle)/.test(String(key)))
      .map((key) => {
        const { value, ...flags } = Object.getOwnPropertyDescriptor(emitter, key) ?? {};
        return [String(key), { ...flags, kind: typeof value === "function" ? String(value) : typeof value }] as const;
      });
    const listeners = emitter.eventNames().map((event) => [String(event), emitter.rawListeners(event).map(String)]);
    return { properties: Object.fromEntries(properties), listeners: Object.fromEntries(listeners) as unknown };
  });
}

for (const kind of kinds) {
  test(`${kind}: manage and detach leave a server, its sockets, sessions and streams as they were, and they go on`, async (t) => {
    const living = await startServer(t, kind);
    const { idle, asked } = await fill(living);
    const before = everything(living);
    const managed = manage(living.server);
    assert.equal(managed.connections.size, 2);
    assert.notDeepEqual(everything(living), before);
    managed.detach();
    assert.deepEqual(everything(living), before);
    const [stream] = living.waiting as [ServerHttp2Stream];
    assert.throws(() => custodianOf(stream), { code: "ERR_PORTREEVE_NOT_MANAGED" });
    stream.end("whole");
    asked.stream.end();
    assert.equal((await asked.answered).body, "whole");
    assert.equal((await ask(idle, { ":path": "/again" }).answered).body, "/again");
  });

  test(`${kind}: clients that came while the server was managed have, after detach, all that those of a bare one have`, async (t) => {
    const [bare, living] = [await startServer(t, kind), await startServer(t, kind)];
    const managed = manage(living.server);
    await fill(bare);
    const { idle } = await fill(living);
    managed.detach();
    assert.deepEqual(everything(living), everything(bare));
    assert.equal((await ask(idle, { ":path": "/again" }).answered).body, "/again");
  });

  test(`${kind}: what was opened for a stream before detach still ends with it, and the server can be managed again`, async (t) => {
    const living = await startServer(t, kind);
    const first = manage(living.server);
    const { asked } = await fill(living);
    const [stream] = living.waiting as [ServerHttp2Stream];
    const { signal } = custodianOf(stream);
    first.detach();
    assert.equal(signal.aborted, false);
    const second = manage(living.server);
    assert.equal(second.connections.size, 2);
    second.detach();
    stream.end("whole");
    asked.stream.end();
    await asked.answered;
    await until(() => signal.aborted);
  });
}
