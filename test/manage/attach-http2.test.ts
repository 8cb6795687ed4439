import assert from "node:assert/strict";
import { once } from "node:events";
import { createSecureServer, createServer } from "node:http2";
import type { ClientHttp2Session, Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { connectionOf, custodianOf, manage, requestOf } from "../../src/index.ts";
import type { Managed, ManageOptions } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { ask, kinds, openSession, settle, until } from "../protocols/http2/web.ts";
import type { Kind } from "../protocols/http2/web.ts";
import { certificate } from "../support/certificate.ts";
import { hideSessions } from "../support/hidden-sessions.ts";
import { connectTo } from "../support/tcp-client.ts";

interface Waiting {
  request: Http2ServerRequest;
  response: Http2ServerResponse;
}

interface Bare {
  server: Server;
  port: number;
  accepted: Socket[];
  waiting: Waiting[];
  client(): Promise<ClientHttp2Session>;
}

/** A server that nobody manages yet: it answers at once, except for /wait. */
async function startBare(t: TestContext, kind: Kind): Promise<Bare> {
  const [accepted, waiting]: [Socket[], Waiting[]] = [[], []];
  const answer = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    if (request.url === "/wait") waiting.push({ request, response });
    else response.end(request.url);
  };
  const server =
    kind === "h2" ? createSecureServer({ ...(await certificate()), allowHTTP1: true }, answer) : createServer(answer);
  server.on("connection", (socket: Socket) => accepted.push(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  t.after(() => {
    server.close();
    for (const socket of accepted) socket.destroy();
  });
  const client = async (): Promise<ClientHttp2Session> => {
    const session = await openSession(t, kind, port);
    // The answer to a PING comes after our settings were acknowledged.
    await new Promise((resolve) => session.ping(resolve));
    return session;
  };
  return { server, port, accepted, waiting, client };
}

function manageNow(t: TestContext, server: Server, options: ManageOptions = {}): [Managed, ManualClock] {
  const clock = new ManualClock();
  const managed = manage(server, { ...options, clock });
  t.after(() => managed.close());
  return [managed, clock];
}

const phases = ({ connections }: Managed): string[] => [...connections].map(({ phase }) => phase).toSorted();

for (const kind of kinds) {
  test(`${kind}: sessions that were open before are owned, each in its phase, and their streams are requests`, async (t) => {
    const bare = await startBare(t, kind);
    const [idle, busy] = [await bare.client(), await bare.client()];
    assert.equal((await ask(idle, { ":path": "/first" }).answered).body, "/first");
    const asked = ask(busy, { ":path": "/wait" });
    await until(() => bare.waiting.length === 1);
    const [managed] = manageNow(t, bare.server);
    assert.deepEqual(phases(managed), ["handling", "idle"]);
    const [{ request, response }] = bare.waiting as [Waiting];
    assert.equal(requestOf(request).connection, connectionOf(request.stream));
    assert.equal(custodianOf(response), requestOf(request.stream).custodian);
    assert.equal((await ask(idle, { ":path": "/second" }).answered).body, "/second");
    const drained = managed.drain();
    response.end("whole");
    assert.equal((await asked.answered).body, "whole");
    const { cut, finished, idle: idleOnes } = await drained;
    assert.deepEqual({ cut, finished, idleOnes }, { cut: [], finished: 1, idleOnes: 1 });
  });

  test(`${kind}: limits act on sessions found late: idle ones end, a silent handler is answered with 503`, async (t) => {
    const bare = await startBare(t, kind);
    const [idle, busy] = [await bare.client(), await bare.client()];
    const asked = ask(busy, { ":path": "/wait" });
    await until(() => bare.waiting.length === 1);
    const left = once(idle, "close");
    const [managed, clock] = manageNow(t, bare.server, {
      safetyLimits: { idleTimeout: "20s", responseTimeout: "10s" },
    });
    clock.advance(9900);
    await settle();
    assert.equal(asked.status, undefined);
    clock.advance(200);
    assert.equal((await asked.answered).status, 503);
    clock.advance(10_000);
    await left;
    await until(() => managed.connections.size === 1);
    assert.deepEqual(phases(managed), ["idle"]);
  });

  test(`${kind}: a body that is half received when the server is managed is read on, and timed`, async (t) => {
    const bare = await startBare(t, kind);
    const session = await bare.client();
    const asked = [1, 2].map(() => ask(session, { ":path": "/wait", ":method": "POST" }));
    for (const { stream } of asked) stream.write("abc");
    await until(() => bare.waiting.length === 2);
    for (const { request, response } of bare.waiting) {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => (body += text));
      request.on("end", () => response.end(body)).on("error", () => {});
    }
    const [, clock] = manageNow(t, bare.server, { safetyLimits: { requestReadTimeout: "5s" } });
    asked[0]?.stream.end("def");
    assert.equal((await asked[0]?.answered)?.body, "abcdef");
    clock.advance(5100);
    assert.equal((await asked[1]?.answered)?.status, 408);
  });

  test(`${kind}: much that came before the server was managed is no flood of control frames`, async (t) => {
    const bare = await startBare(t, kind);
    const session = await bare.client();
    for (let i = 0; i < 20; i++) {
      await Promise.all(Array.from({ length: 100 }, () => ask(session, { ":path": "/x" }).answered));
    }
    const [managed, clock] = manageNow(t, bare.server, {
      safetyLimits: { maxControlFrames: { count: 10, per: "10s" } },
    });
    for (let i = 0; i < 4; i++) {
      clock.advance(250);
      await settle();
    }
    assert.equal((await ask(session, { ":path": "/still" }).answered).body, "/still");
    assert.deepEqual(phases(managed), ["idle"]);
  });

  test(`${kind}: a client that has not said its settings when the server is managed has the deadline of a handshake`, async (t) => {
    const bare = await startBare(t, kind);
    const mute =
      kind === "h2c"
        ? (await connectTo(t, bare.port)).socket
        : connectTls({ port: bare.port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false });
    t.after(() => mute.destroy());
    if (kind === "h2") await once(mute, "secureConnect");
    await until(() => bare.accepted.length === 1);
    await settle();
    const [managed, clock] = manageNow(t, bare.server);
    const [connection] = managed.connections;
    assert.equal(connection?.phase, "handshaking");
    clock.advance(10_100);
    assert.equal(connection.closeReason, "handshake-timeout");
  });

  test(`${kind}: where a socket does not lead to its session, the session is owned from its next stream on`, async (t) => {
    const restore = hideSessions();
    t.after(restore);
    const bare = await startBare(t, kind);
    const session = await bare.client();
    const [managed] = manageNow(t, bare.server);
    assert.equal(managed.connections.size, 0);
    assert.equal((await ask(session, { ":path": "/next" }).answered).body, "/next");
    assert.deepEqual(phases(managed), ["idle"]);
    const asked = ask(session, { ":path": "/wait" });
    await until(() => bare.waiting.length === 1);
    const drained = managed.drain();
    bare.waiting[0]?.response.end("whole");
    assert.equal((await asked.answered).body, "whole");
    assert.equal((await drained).finished, 1);
  });
}

test("a client of a secure HTTP/2 server that speaks HTTP/1.1 is owned late, too", async (t) => {
  const bare = await startBare(t, "h2");
  const socket = connectTls({ port: bare.port, host: "127.0.0.1", rejectUnauthorized: false });
  t.after(() => socket.destroy());
  let received = "";
  socket.setEncoding("latin1").on("data", (text: string) => (received += text));
  socket.write("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(() => bare.waiting.length === 1);
  const [managed] = manageNow(t, bare.server);
  assert.deepEqual(phases(managed), ["handling"]);
  const drained = managed.drain();
  bare.waiting[0]?.response.end("whole");
  await once(socket, "end");
  assert.match(received, /^Connection: close\r$[^]*whole/m);
  assert.equal((await drained).finished, 1);
});
