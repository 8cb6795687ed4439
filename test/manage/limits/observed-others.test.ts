/**
 * Limits that only observe, on connections that speak no HTTP: each silence is published once, and cut by nobody.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { manage } from "../../../src/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { shakeHands, startSockets } from "../../protocols/websocket/sockets.ts";
import { pass } from "../../support/rounds.ts";
import { connectTo } from "../../support/tcp-client.ts";
import { listenForSpared, look, onlyOne } from "./scene.ts";

async function passLooks(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += look) await pass(clock, look);
}

test("net: requestReadTimeout, idleTimeout: a client that says nothing, and each of two silences", async (t) => {
  const clock = new ManualClock();
  const server = createServer((socket) => socket.pipe(socket));
  const safetyLimits = { requestReadTimeout: "2s", idleTimeout: "5s" };
  const managed = manage(server, { clock, observeOnly: true, safetyLimits });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => managed.close());
  const spared = listenForSpared(t, clock);
  const client = await connectTo(t, (server.address() as AddressInfo).port);
  await passLooks(clock, 30_000);
  for (const word of ["one", "two"]) {
    client.write(word);
    await client.gets(new RegExp(`${word}$`));
    await passLooks(clock, 4000);
    client.write("more");
    await client.gets(/more$/);
    await passLooks(clock, 30_000);
  }
  const silence = "idle-timeout by idleTimeout";
  assert.deepEqual(spared(), ["read-timeout by requestReadTimeout", silence, silence]);
  assert.equal(onlyOne(managed.connections).closeReason, null);
});

test("upgradedIdleTimeout: each of two silences of a WebSocket", async (t) => {
  const web = await startSockets(t, { upgradedIdleTimeout: "5s" }, { observeOnly: true });
  const spared = listenForSpared(t, web.clock);
  const { client, peer } = await web.open();
  for (let i = 0; i < 2; i++) {
    await passLooks(web.clock, 30_000);
    client.send("still here");
    await once(peer, "message");
  }
  await passLooks(web.clock, 4000);
  assert.deepEqual(
    spared(),
    Array.from({ length: 2 }, () => "upgraded-timeout by upgradedIdleTimeout"),
  );
  assert.deepEqual(web.ends(), []);
});

test("pingInterval: a client is asked, and each time that it does not answer is published", async (t) => {
  const web = await startSockets(t, { pingInterval: "5s" }, { observeOnly: true });
  const spared = listenForSpared(t, web.clock);
  const mute = await shakeHands(await web.connect());
  for (let i = 1; i <= 2; i++) {
    await passLooks(web.clock, 60_000);
    assert.equal(mute.received, "\x89\x00".repeat(i));
    // A Pong.
    mute.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0]));
  }
  await passLooks(web.clock, 1000);
  assert.deepEqual(
    spared(),
    Array.from({ length: 2 }, () => "upgraded-timeout by pingInterval"),
  );
  assert.deepEqual(web.ends(), []);
});
