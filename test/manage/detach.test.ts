import assert from "node:assert/strict";
import type { EventEmitter } from "node:events";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { connectionOf, custodianOf, manage } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { get, settle, until } from "../protocols/http1/web.ts";
import { connectTo } from "../support/tcp-client.ts";
import { fill, kinds, startServer } from "./living-server.ts";
import type { LivingServer } from "./living-server.ts";

/** Names and values of own properties, and listeners of every event. */
function snapshot(emitter: EventEmitter): Record<string, unknown> {
  const properties = Reflect.ownKeys(emitter).map((key) => {
    const property = Object.getOwnPropertyDescriptor(emitter, key);
    // What the program and Node count or toggle by themselves is no concern of ours.
    const { value, ...flags } = property ?? {};
    const kind =
      typeof value === "function" || typeof value === "number" || typeof value === "boolean" ? value : typeof value;
    return [String(key), { ...flags, kind }] as const;
  });
  const listeners = emitter.eventNames().map((event) => [String(event), emitter.rawListeners(event)] as const);
  return { properties: Object.fromEntries(properties), listeners: Object.fromEntries(listeners) };
}

/** Everything of a server that somebody could see a difference on. */
function everything({ server, sockets, accepted, waiting }: LivingServer): Record<string, unknown>[] {
  const inFlight = waiting.flatMap(({ request, response }) => [request, response]);
  return [...new Set<EventEmitter>([server, ...accepted, ...sockets, ...inFlight])].map(snapshot);
}

/** What changes on a socket while bytes pass, with or without us. */
function withoutCounts(all: Record<string, unknown>[]): unknown {
  return JSON.parse(
    JSON.stringify(all, (key, value: unknown) => {
      if (/^(Symbol\(lastWriteQueueSize\)|Symbol\(async_id_symbol\)|bytes|_idleStart|Symbol\(kBytes)/i.test(key))
        return undefined;
      return typeof value === "function" ? `function ${value.name}` : value;
    }),
  );
}

for (const kind of kinds) {
  test(`manage and detach leave a server of node:${kind}, its sockets and what is in flight as they were`, async (t) => {
    const living = await startServer(t, kind);
    const clients = await fill(living, kind);
    await settle();
    const before = everything(living);
    const managed = manage(living.server);
    assert.equal(managed.connections.size, 4);
    managed.detach();
    assert.deepEqual(everything(living), before);
    assert.equal(managed.connections.size, 0);
    assert.throws(() => custodianOf(living.accepted[0] as Socket), { code: "ERR_PORTREEVE_NOT_MANAGED" });
    for (const client of [clients.idle, clients.upgraded]) {
      client.received = "";
      client.write(kind === "net" || kind === "tls" || client === clients.upgraded ? "again" : get("/again"));
      await client.gets(/again\n?$/);
    }
  });

  test(`a server of node:${kind} whose clients came while it was managed has, after detach, sockets like those of a bare one`, async (t) => {
    const [bare, living] = [await startServer(t, kind), await startServer(t, kind)];
    const managed = manage(living.server);
    await fill(bare, kind);
    const clients = await fill(living, kind);
    await settle();
    assert.equal(managed.connections.size, 4);
    managed.detach();
    const [ours, theirs] = [living, bare].map((one) => withoutCounts(everything(one)));
    assert.deepEqual(ours, theirs);
    if (kind === "http" || kind === "https") {
      living.waiting[0]?.response.end("whole");
      await clients.busy.gets(/whole$/);
      clients.busy.received = "";
      clients.busy.write(get("/again"));
      await clients.busy.gets(/\/again\n$/);
    }
  });

  test(`a server of node:${kind} can be managed again after detach, and then owns the same clients`, async (t) => {
    const living = await startServer(t, kind);
    await fill(living, kind);
    const first = manage(living.server);
    first.detach();
    const second = manage(living.server);
    // What was let go is no business of the first any more.
    first.detach();
    await first.close();
    assert.equal((await first.drain()).cut.length, 0);
    assert.equal(living.server.listening, true);
    assert.equal(second.connections.size, 4);
    const client = await living.connect();
    await until(() => second.connections.size === 5);
    client.end();
    second.detach();
  });
}

test("after detach node:http's own idle timer ends an idle connection again, also one that was idle all the while", async (t) => {
  const server = createServer({ keepAliveTimeout: 50, connectionsCheckingInterval: 20 }, (_request, response) =>
    response.end("ok"),
  );
  // Node adds a second of its own where it can be told not to.
  Object.assign(server, { keepAliveTimeoutBuffer: 0 });
  const clock = new ManualClock();
  const managed = manage(server, { clock, safetyLimits: { idleTimeout: "1h" } });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => void server.close());
  const client = await connectTo(t, (server.address() as AddressInfo).port);
  client.write(get("/"));
  await client.gets(/ok$/);
  await until(() => [...managed.connections].some(({ phase }) => phase === "idle"));
  managed.detach();
  assert.equal(await client.ended, "FIN");
});

test("what was opened for a connection or a request before detach still ends with it", async (t) => {
  const living = await startServer(t, "http");
  const managed = manage(living.server);
  const { busy, upgraded } = await fill(living, "http");
  const [waiting] = living.waiting;
  assert.ok(waiting);
  const [own, socket] = [custodianOf(waiting.request), custodianOf(living.upgraded[0] as Socket)];
  const ended: string[] = [];
  own.defer(() => void ended.push("request"));
  socket.defer(() => void ended.push("connection"));
  managed.detach();
  await settle();
  assert.deepEqual(ended, []);
  waiting.response.end("done");
  await busy.gets(/done$/);
  await until(() => ended.length === 1);
  upgraded.end();
  await until(() => ended.length === 2);
  assert.deepEqual(ended, ["request", "connection"]);
});

test("one who waits for a permit is served when the manager leaves", async (t) => {
  const living = await startServer(t, "net");
  const managed = manage(living.server, { safetyLimits: { maxConcurrent: 1 } });
  const first = await living.connect();
  const second = await connectTo(t, (living.server.address() as AddressInfo).port);
  second.write("hello");
  await until(() => managed.waiting === 1);
  managed.detach();
  await second.gets(/hello$/);
  assert.equal(connectionOf(living.accepted[0]), undefined);
  first.end();
});
