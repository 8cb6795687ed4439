/** WebSockets, and what else has left HTTP, on a server that comes under a manager only then. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { connectionOf, custodianOf } from "../../../src/index.ts";
import { certificate } from "../../support/certificate.ts";
import { connectTo } from "../../support/tcp-client.ts";
import type { TcpClient } from "../../support/tcp-client.ts";
import { listen, manageWeb, until } from "../http1/web.ts";
import type { Managing } from "../http1/web.ts";
import { askForUpgrade, closeCode, shakeHands, startUnmanagedSockets } from "./sockets.ts";

const goingAway = "\x88\x02\x03\xe9";
const askedOnce = "\x89\x00";

const kinds: Readonly<Record<string, () => Promise<Server>>> = {
  http: () => Promise.resolve(createServer()),
  https: async () => createSecureServer(await certificate()),
};

function phases({ server }: Managing): string[] {
  return [...server.connections].map(({ phase }) => phase);
}

for (const [kind, make] of Object.entries(kinds)) {
  test(`${kind}: in a drain the clients of late-found WebSockets see 1001, the program too, and the drain ends when they have gone`, async (t) => {
    const late = await startUnmanagedSockets(t, { http: await make() });
    const opened = [await late.open(), await late.open(), await late.open()];
    const web = late.manage();
    assert.deepEqual(phases(web), ["upgraded", "upgraded", "upgraded"]);
    const codes = opened.flatMap(({ client, peer }) => [closeCode(client), closeCode(peer)]);
    const report = await web.server.drain();
    assert.deepEqual(await Promise.all(codes), [1001, 1001, 1001, 1001, 1001, 1001]);
    assert.deepEqual([report.idle, report.finished, report.cut], [0, 3, []]);
  });

  test(`${kind}: in a drain a late-found client that takes no notice of 1001 is cut at the grace period`, async (t) => {
    const late = await startUnmanagedSockets(t, { http: await make() });
    const rude = await shakeHands(await late.connect());
    const web = late.manage();
    const drained = web.server.drain({ grace: "2s" });
    await until(() => rude.received === goingAway);
    await web.pass(1900);
    assert.deepEqual(web.ends(), []);
    await web.pass(100);
    const { cut } = await drained;
    assert.deepEqual(
      cut.map(({ reason, phase }) => [reason, phase]),
      [["drain-cut", "upgraded"]],
    );
    assert.equal(await rude.all(), goingAway);
  });

  test(`${kind}: a late-found WebSocket on which no byte passes for upgradedIdleTimeout is told 1001 and ended`, async (t) => {
    const late = await startUnmanagedSockets(t, { http: await make() });
    const { client, peer } = await late.open();
    const web = late.manage({ upgradedIdleTimeout: "10s" });
    await web.pass(9000);
    client.send("from the client");
    await once(peer, "message");
    await web.pass(9000);
    assert.deepEqual(web.ends(), []);
    const code = closeCode(client);
    await web.pass(1500);
    assert.equal(await code, 1001);
    await until(() => web.ends().length === 1);
    assert.deepEqual(web.ends(), ["upgraded-timeout while upgraded"]);
  });

  test(`${kind}: with pingInterval a late-found WebSocket that answers lives on, and a mute one is told 1001`, async (t) => {
    const late = await startUnmanagedSockets(t, { http: await make() });
    const { client } = await late.open();
    const mute = await shakeHands(await late.connect());
    const web = late.manage({ pingInterval: "5s" });
    await web.pass(4900);
    assert.equal(mute.received, "");
    await web.pass(600);
    await until(() => mute.received === askedOnce);
    await web.pass(5500);
    assert.equal(await mute.all(), askedOnce + goingAway);
    mute.end();
    await until(() => web.ends().length === 1);
    assert.deepEqual(web.ends(), ["upgraded-timeout while upgraded"]);
    for (let second = 0; second < 20; second++) await web.pass(1000);
    assert.equal(client.readyState, client.OPEN);
  });
}

test("close() tells late-found WebSockets 1012, kill() 1001, an old connection 1001", async (t) => {
  const closing = await startUnmanagedSockets(t);
  const { client } = await closing.open();
  const web = closing.manage();
  const [code] = await Promise.all([closeCode(client), web.server.close()]);
  assert.equal(code, 1012);
  const late = await startUnmanagedSockets(t);
  const [killed, old] = [await late.open(), await late.open()];
  const aging = late.manage({ maxConnectionAge: "1m" });
  connectionOf(killed.peer)?.kill();
  assert.equal(await closeCode(killed.client), 1001);
  const oldCode = closeCode(old.client);
  await aging.pass(70_000);
  assert.equal(await oldCode, 1001);
  await until(() => aging.ends().length === 2);
  assert.deepEqual(aging.ends().sort(), ["killed while upgraded", "max-age while upgraded"]);
});

test("what a program puts under a late-found WebSocket ends with it", async (t) => {
  const late = await startUnmanagedSockets(t);
  const { client, peer } = await late.open();
  late.manage();
  const owner = custodianOf(peer);
  assert.equal(owner.signal.aborted, false);
  client.close();
  await until(() => owner.signal.aborted);
});

test("a WebSocket that was given back is known again by the next manager", async (t) => {
  const late = await startUnmanagedSockets(t);
  const first = late.manage();
  const { client } = await late.open();
  first.server.detach();
  const web = late.manage();
  const code = closeCode(client);
  assert.equal((await web.server.drain()).finished, 1);
  assert.equal(await code, 1001);
});

test("pings never land inside a message of a late-found WebSocket, compressed or not", async (t) => {
  for (const perMessageDeflate of [true, false]) {
    const late = await startUnmanagedSockets(t, { perMessageDeflate: perMessageDeflate && { threshold: 0 } });
    const { client, peer } = await late.open({ perMessageDeflate });
    const sizes = Array.from({ length: 60 }, (_, i) => (i * 7919) % 90_000);
    const got: number[] = [];
    let pings = 0;
    client.on("message", (data: Buffer) => got.push(data.length)).on("ping", () => pings++);
    // Some are being compressed, and have left only in part, when the manager comes.
    for (const size of sizes.slice(0, 10)) peer.send(Buffer.alloc(size, `${size}`));
    const web = late.manage({ pingInterval: "5s" });
    for (const [i, size] of sizes.slice(10).entries()) {
      peer.send(Buffer.alloc(size, `${size}`));
      web.clock.advance(350);
      await new Promise((resolve) => setImmediate(resolve));
      web.clock.advance(350);
      await until(() => got.length > i + 10);
    }
    const code = closeCode(client);
    const drained = web.server.drain();
    assert.equal(await code, 1001);
    assert.deepEqual(got, sizes);
    assert.ok(pings > 0);
    assert.equal((await drained).finished, 1);
  }
});

test("a WebSocket that the program accepts only after the manager has come is told 1001, too, even while the server drains", async (t) => {
  const accepts: ((accepted: boolean) => void)[] = [];
  const late = await startUnmanagedSockets(t, { verifyClient: (_info, accept) => void accepts.push(accept) });
  const [early, tardy] = [await late.connect(), await late.connect()];
  for (const client of [early, tardy]) {
    const count = accepts.length;
    client.write(askForUpgrade("websocket"));
    await until(() => accepts.length > count);
  }
  const web = late.manage();
  const [acceptEarly, acceptTardy] = accepts;
  acceptEarly?.(true);
  await early.gets(/^HTTP\/1\.1 101 [^]*\r\n\r\n$/);
  const drained = web.server.drain();
  await until(() => early.received.endsWith(`\r\n\r\n${goingAway}`));
  assert.equal(tardy.received, "");
  acceptTardy?.(true);
  await tardy.gets(/^HTTP\/1\.1 101 [^]*\r\n\r\n$/);
  await web.pass(300);
  await until(() => tardy.received.endsWith(`\r\n\r\n${goingAway}`));
  for (const client of [early, tardy]) client.end();
  assert.equal((await drained).finished, 2);
});

/** A server whose program speaks for itself with those who leave HTTP; one client has. */
async function startUnknown(t: TestContext, protocol: string): Promise<{ http: Server; client: TcpClient }> {
  const http = createServer().on("upgrade", (_request, socket: Socket) => {
    socket.on("error", () => {}).write("HTTP/1.1 101 Switching\r\n\r\n");
    socket.pipe(socket);
  });
  const port = await listen(http);
  const client = await connectTo(t, port);
  client.write(askForUpgrade(protocol));
  await client.gets(/101 Switching\r\n\r\n$/);
  client.received = "";
  return { http, client };
}

// One is no WebSocket, and of the other nothing tells that it is one.
for (const protocol of ["echo", "websocket"]) {
  test(`what was upgraded to "${protocol}" by the program itself before the manager came hears no word, and is cut at the grace period`, async (t) => {
    const { http, client } = await startUnknown(t, protocol);
    const web = manageWeb(t, http, { pingInterval: "1s" });
    await web.pass(10_000);
    client.write("hello");
    await client.gets(/^hello$/);
    const drained = web.server.drain({ grace: "3s" });
    await web.pass(2900);
    assert.deepEqual(web.ends(), []);
    await web.pass(100);
    assert.deepEqual(
      (await drained).cut.map(({ reason, phase }) => [reason, phase]),
      [["drain-cut", "upgraded"]],
    );
    assert.equal(await client.all(), "hello");
  });

  test(`what was upgraded to "${protocol}" by the program itself before the manager came ends without a word at upgradedIdleTimeout`, async (t) => {
    const { http, client } = await startUnknown(t, protocol);
    const web = manageWeb(t, http, { upgradedIdleTimeout: "10s", maxConnectionAge: "1s" });
    await web.pass(9900);
    assert.deepEqual(web.ends(), []);
    await web.pass(200);
    assert.equal(await client.all(), "");
    client.end();
    await until(() => web.ends().length === 1);
    assert.deepEqual(web.ends(), ["upgraded-timeout while upgraded"]);
  });
}

test("a WebSocket that the program opens through a client's tunnel is the client's side, and gets no frame of ours", async (t) => {
  const opened: WebSocket[] = [];
  const http = createServer().on("connect", (_request, socket: Socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    opened.push(new WebSocket("ws://far/", { createConnection: () => socket }));
  });
  const socket = connect(await listen(http), "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write("CONNECT far:1 HTTP/1.1\r\nHost: far:1\r\n\r\n");
  const answer = "HTTP/1.1 200 OK\r\n\r\n";
  await until(() => socket.readableLength >= answer.length);
  assert.equal(String(socket.read(answer.length)), answer);
  // At the far end of the tunnel the WebSocket is accepted.
  const far = createServer();
  const accepted = once(new WebSocketServer({ server: far }), "connection") as Promise<[WebSocket]>;
  far.emit("connection", socket);
  const [peer] = await accepted;
  const faults: Error[] = [];
  peer.on("error", (error) => faults.push(error));
  await until(() => opened[0]?.readyState === WebSocket.OPEN);
  const web = manageWeb(t, http, { pingInterval: "1s" });
  for (let second = 0; second < 5; second++) await web.pass(1000);
  const drained = web.server.drain({ grace: "1s" });
  const code = closeCode(peer);
  await web.pass(1000);
  assert.equal((await drained).cut.length, 1);
  // Frames that are not masked would have been a fault.
  assert.equal(await code, 1006);
  assert.deepEqual(faults, []);
});
