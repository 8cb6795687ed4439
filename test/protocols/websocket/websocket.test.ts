import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { connectionOf, custodianOf, requestOf } from "../../../src/index.ts";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import { certificate } from "../../support/certificate.ts";
import type { TcpClient } from "../../support/tcp-client.ts";
import { get, settle, until } from "../http1/web.ts";
import { askForUpgrade, closeCode, shakeHands, startSockets } from "./sockets.ts";
import type { Sockets } from "./sockets.ts";

test("an idle WebSocket survives the defaults, and one with traffic too", async (t) => {
  const web = await startSockets(t);
  const [idle, busy] = [await web.open(), await web.open()];
  busy.peer.on("message", (data) => busy.peer.send(data));
  for (let minute = 0; minute < 30; minute++) {
    busy.client.send(`minute ${minute}`);
    const [data] = (await once(busy.client, "message")) as [Buffer];
    assert.equal(String(data), `minute ${minute}`);
    await web.pass(60_000);
  }
  idle.client.send("still here");
  await once(idle.peer, "message");
  assert.deepEqual(web.ends(), []);
  assert.deepEqual(
    [...web.server.connections].map(({ phase }) => phase),
    ["upgraded", "upgraded"],
  );
});

test("a WebSocket on which no byte passes for upgradedIdleTimeout is told 1001 and ended", async (t) => {
  const web = await startSockets(t, { upgradedIdleTimeout: "10s" });
  const { client, peer } = await web.open();
  await web.pass(9000);
  client.send("from the client");
  await once(peer, "message");
  await web.pass(9000);
  peer.send("from the server");
  await once(client, "message");
  await web.pass(9000);
  assert.deepEqual(web.ends(), []);
  const code = closeCode(client);
  await web.pass(1500);
  assert.equal(await code, 1001);
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["upgraded-timeout while upgraded"]);
});

test("with pingInterval a WebSocket that answers lives on; a mute one is cut at the interval after the ping", async (t) => {
  const web = await startSockets(t, { pingInterval: "5s" });
  const { client } = await web.open();
  const mute = await shakeHands(await web.connect());
  const ends: [string | null, string | null][] = [];
  for (const connection of web.server.connections) {
    void connection.closed.then((reason) => ends.push([reason, connection.closeLimit]));
  }
  let pings = 0;
  client.on("ping", () => pings++);
  await web.pass(4900);
  assert.equal(mute.received, "");
  await web.pass(600);
  assert.equal(mute.received, "\x89\x00");
  await web.pass(4400);
  assert.deepEqual(ends, []);
  await web.pass(600);
  assert.equal(await mute.ended, "FIN");
  assert.equal(mute.received, "\x89\x00\x88\x02\x03\xe9");
  mute.end();
  await until(() => ends.length === 1);
  assert.deepEqual(ends, [["upgraded-timeout", "pingInterval"]]);
  for (let second = 0; second < 60; second++) await web.pass(1000);
  assert.equal(client.readyState, client.OPEN);
  assert.ok(pings >= 10 && pings <= 14, `${pings} pings in 70 s`);
});

test("with pingInterval a WebSocket over TLS that answers lives on, and a mute one is told 1001 at the interval after the ping", async (t) => {
  const web = await startSockets(t, { pingInterval: "5s" }, { http: createSecureServer(await certificate()) });
  const [{ client }, { client: mute }] = [await web.open(), await web.open({ autoPong: false })];
  const pings = new Map([client, mute].map((one) => [one, 0]));
  for (const [one] of pings) one.on("ping", () => void pings.set(one, (pings.get(one) ?? 0) + 1));
  const code = closeCode(mute);
  await web.pass(4900);
  assert.deepEqual([...pings.values()], [0, 0]);
  await web.pass(400);
  await until(() => [...pings.values()].every((count) => count === 1));
  await web.pass(4600);
  assert.deepEqual(web.ends(), []);
  await web.pass(900);
  assert.equal(await code, 1001);
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["upgraded-timeout while upgraded"]);
  for (let second = 0; second < 20; second++) await web.pass(1000);
  assert.equal(client.readyState, client.OPEN);
  assert.equal(pings.get(mute), 1);
});

test("without pingInterval nobody is asked", async (t) => {
  const web = await startSockets(t);
  const client = await shakeHands(await web.connect());
  await web.pass(600_000);
  assert.equal(client.received, "");
  assert.equal(web.server.connections.size, 1);
});

test("our own pause cuts no WebSocket that was asked", async (t) => {
  const web = await startSockets(t, { pingInterval: "5s" });
  const { client } = await web.open();
  await web.pass(4900);
  // The ping is written, and then nothing runs for an hour.
  web.clock.advance(600);
  web.clock.stall("1h");
  for (let i = 0; i < 10; i++) await web.pass(100);
  assert.equal(client.readyState, client.OPEN);
  assert.deepEqual(web.ends(), []);
});

test("pings and the goodbye never land inside a message, compressed or not", async (t) => {
  for (const perMessageDeflate of [true, false]) {
    const web = await startSockets(
      t,
      { pingInterval: "5s" },
      { perMessageDeflate: perMessageDeflate && { threshold: 0 } },
    );
    const { client, peer } = await web.open({ perMessageDeflate });
    assert.equal(peer.extensions, perMessageDeflate ? "permessage-deflate" : "");
    const sizes = Array.from({ length: 60 }, (_, i) => (i * 7919) % 90_000);
    const got: number[] = [];
    let pings = 0;
    client.on("message", (data: Buffer) => got.push(data.length));
    client.on("ping", () => pings++);
    const code = closeCode(client);
    for (const [i, size] of sizes.entries()) {
      // Compression takes turns of the loop, and we look in between.
      peer.send(Buffer.alloc(size, `${size}`));
      web.clock.advance(350);
      await new Promise((resolve) => setImmediate(resolve));
      web.clock.advance(350);
      await until(() => got.length > i);
    }
    const drained = web.server.drain();
    assert.equal(await code, 1001);
    assert.deepEqual(got, sizes);
    assert.ok(pings > 0);
    assert.equal((await drained).finished, 1);
  }
});

test("in a drain the clients of WebSockets see 1001, the program too, and the drain ends when they have gone", async (t) => {
  const web = await startSockets(t);
  const opened = [await web.open(), await web.open(), await web.open()];
  const codes = opened.flatMap(({ client, peer }) => [closeCode(client), closeCode(peer)]);
  const report = await web.server.drain();
  assert.deepEqual(await Promise.all(codes), [1001, 1001, 1001, 1001, 1001, 1001]);
  assert.deepEqual([report.idle, report.finished, report.cut], [0, 3, []]);
  assert.deepEqual(
    web.ends(),
    Array.from({ length: 3 }, () => "drained while upgraded"),
  );
});

test("in a drain a client that takes no notice is cut at the grace period", async (t) => {
  const web = await startSockets(t);
  const rude = await shakeHands(await web.connect());
  await until(() => [...web.server.connections].some(({ phase }) => phase === "upgraded"));
  const drained = web.server.drain({ grace: "2s" });
  await until(() => rude.received === "\x88\x02\x03\xe9");
  await web.pass(1900);
  assert.deepEqual(web.ends(), []);
  await web.pass(100);
  const report = await drained;
  assert.deepEqual(
    report.cut.map(({ reason, phase }) => [reason, phase]),
    [["drain-cut", "upgraded"]],
  );
  assert.equal(await rude.all(), "\x88\x02\x03\xe9");
});

test("a WebSocket that is accepted while the server drains is told 1001, too", async (t) => {
  const web = await startSockets(t, {}, { verifyClient: (_info, accept) => void accepts.push(accept) });
  const accepts: ((accepted: boolean) => void)[] = [];
  const client = await web.connect();
  client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
  client.write("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  await until(() => accepts.length === 1);
  const drained = web.server.drain();
  accepts[0]?.(true);
  await client.gets(/^HTTP\/1\.1 101 [^]*\r\n\r\n$/);
  await web.pass(300);
  await until(() => client.received.endsWith("\r\n\r\n\x88\x02\x03\xe9"));
  client.end();
  assert.equal((await drained).finished, 1);
});

test("a WebSocket that is accepted while an earlier request of its client waits for an answer is told 1001, too", async (t) => {
  const web = await startSockets(t, {}, { http: createServer(() => {}) });
  const client = await web.connect();
  client.write(get("/") + askForUpgrade("websocket"));
  await client.gets(/^HTTP\/1\.1 101 [^]*\r\n\r\n$/);
  const drained = web.server.drain();
  await until(() => client.received.endsWith("\r\n\r\n\x88\x02\x03\xe9"));
  client.end();
  assert.equal((await drained).finished, 1);
});

test("close() tells WebSockets 1012, kill() 1001, an old connection 1001", async (t) => {
  const closing = await startSockets(t);
  const { client } = await closing.open();
  const [code] = await Promise.all([closeCode(client), closing.server.close()]);
  assert.equal(code, 1012);
  const aging = await startSockets(t, { maxConnectionAge: "1m" });
  const [killed, old] = [await aging.open(), await aging.open()];
  connectionOf(killed.peer)?.kill();
  assert.equal(await closeCode(killed.client), 1001);
  const oldCode = closeCode(old.client);
  await aging.pass(70_000);
  assert.equal(await oldCode, 1001);
  await until(() => aging.ends().length === 2);
  assert.deepEqual(aging.ends().sort(), ["killed while upgraded", "max-age while upgraded"]);
});

test("a WebSocket over TLS is told 1001 in a drain, and a silent one at upgradedIdleTimeout", async (t) => {
  const pair = await certificate();
  const draining = await startSockets(t, {}, { http: createSecureServer(pair) });
  const [first] = [await draining.open()];
  const code = closeCode(first.client);
  assert.equal((await draining.server.drain()).finished, 1);
  assert.equal(await code, 1001);
  const idling = await startSockets(t, { upgradedIdleTimeout: "10s" }, { http: createSecureServer(pair) });
  const second = await idling.open();
  await idling.pass(9000);
  assert.equal(second.client.readyState, second.client.OPEN);
  const idleCode = closeCode(second.client);
  await idling.pass(1500);
  assert.equal(await idleCode, 1001);
});

test("the request of an upgrade, the WebSocket and its connection have one owner, and what it owns ends with them", async (t) => {
  const web = await startSockets(t);
  const asked = once(web.wss, "connection");
  const { client, peer } = await web.open();
  const [, request] = (await asked) as [unknown, object];
  const owner = custodianOf(peer);
  assert.equal(custodianOf(request), owner);
  assert.equal(requestOf(request).custodian, owner);
  assert.equal(connectionOf(peer)?.custodian, owner);
  assert.equal(owner.signal.aborted, false);
  client.close();
  await until(() => owner.signal.aborted);
});

test("a deadline that the program gives a WebSocket ends it, whatever passes", async (t) => {
  const web = await startSockets(t, { upgradedIdleTimeout: "1h" });
  const { client, peer } = await web.open();
  connectionOf(peer)?.resetTimeout("20s");
  for (let i = 0; i < 3; i++) {
    client.send("busy");
    await web.pass(6000);
  }
  assert.deepEqual(web.ends(), []);
  const code = closeCode(client);
  client.send("busy");
  await settle();
  await web.pass(3000);
  assert.equal(await code, 1001);
});

/** A client for which more waits than the kernel takes. */
async function startFlooded(
  t: TestContext,
  safetyLimits: SafetyLimitsOptions,
): Promise<{ web: Sockets; client: TcpClient; took(): number }> {
  const web = await startSockets(t, safetyLimits);
  const client = await shakeHands(await web.connect());
  const [peer] = web.wss.clients;
  client.socket.pause();
  for (let i = 0; i < 64; i++) peer?.send(Buffer.alloc(2 ** 20));
  let took = 0;
  client.socket.removeAllListeners("data").on("data", (text: string) => (took += text.length));
  return { web, client, took: () => took };
}

test("a WebSocket's client may be as slow as it likes; one that takes nothing for responseSendTimeout is reset", async (t) => {
  const { web, client, took } = await startFlooded(t, {
    responseSendTimeout: "5s",
    maxBufferedBytes: "Infinity",
    minSendRate: { bytesPerSecond: "1 GB", grace: "1s" },
    minReceiveRate: { bytesPerSecond: "1 GB", grace: "1s" },
  });
  for (let i = 1; i <= 4; i++) {
    await web.pass(4000);
    // More than the kernel keeps for it.
    client.socket.resume();
    await until(() => took() > i * 10 * 2 ** 20);
    client.socket.pause();
  }
  assert.deepEqual(web.ends(), []);
  await web.pass(6000);
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["send-timeout while upgraded"]);
  client.socket.resume();
  await client.ended;
  assert.ok(took() < 64 * 2 ** 20, "what it never took is lost");
});

test("a WebSocket's client that takes nothing is reset, long before responseSendTimeout, when more than maxBufferedBytes waits", async (t) => {
  const { web, client, took } = await startFlooded(t, { responseSendTimeout: "1h", maxBufferedBytes: "1 MB" });
  const [connection] = web.server.connections;
  for (let i = 1; i <= 4; i++) {
    await web.pass(18_000);
    client.socket.resume();
    await until(() => took() > i * 10 * 2 ** 20);
    client.socket.pause();
  }
  assert.deepEqual(web.ends(), []);
  await web.pass(22_000);
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["limit while upgraded"]);
  assert.equal(connection?.closeLimit, "maxBufferedBytes");
  client.socket.resume();
  await client.ended;
  assert.ok(took() < 64 * 2 ** 20, "what it never took is lost");
});

test("a WebSocket for whose client less than maxBufferedBytes waits is given the time that responseSendTimeout leaves it", async (t) => {
  const { web, client } = await startFlooded(t, { responseSendTimeout: "2m", maxBufferedBytes: "128 MB" });
  await web.pass(110_000);
  assert.deepEqual(web.ends(), []);
  await web.pass(15_000);
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["send-timeout while upgraded"]);
  client.socket.resume();
  await client.ended;
});
