import assert from "node:assert/strict";
import { test } from "node:test";
import type { SafetyLimitsOptions } from "../../src/index.ts";
import { connect, settle } from "../support/connections.ts";
import type { Scene } from "../support/connections.ts";

/** All limits off but these, so that each test sees its own. */
function begin(limits: SafetyLimitsOptions): Scene {
  const off = { requestReadTimeout: "Infinity", minSendRate: 0, minReceiveRate: 0, responseSendTimeout: Infinity };
  return connect({ ...off, maxBufferedBytes: Infinity, ...limits });
}

/** Moves the clock in small steps, letting the streams move in between, until it ends or `ms` have passed. */
async function pass({ clock, connection }: Scene, ms: number, each?: () => void, step = 100): Promise<number> {
  for (let passed = 0; passed < ms; passed += step) {
    each?.();
    await settle();
    clock.advance(step);
    if (connection.closeReason !== null) return passed + step;
  }
  return ms;
}

test("a client that takes nothing of what is written to it is reset after responseSendTimeout", async () => {
  const scene = begin({ responseSendTimeout: "10s" });
  scene.client.pause();
  scene.server.write(Buffer.alloc(200_000));
  const passed = await pass(scene, 20_000);
  assert.equal(scene.connection.closeReason, "send-timeout");
  assert.ok(passed >= 10_000 && passed <= 10_800, `after ${passed} ms`);
  await scene.connection.closed;
  assert.equal(scene.server.destroyed, true);
});

test("progress restarts responseSendTimeout, however slow it is", async () => {
  const scene = begin({ responseSendTimeout: "1s" });
  for (let i = 0; i < 100; i++) scene.server.write(Buffer.alloc(10_000));
  await pass(scene, 8000, () => scene.client.read(10_000));
  assert.equal(scene.connection.closeReason, null);
  await pass(scene, 3000);
  assert.equal(scene.connection.closeReason, "send-timeout");
});

test("with nothing unsent no send deadline runs", async () => {
  const scene = begin({ responseSendTimeout: "1s", minSendRate: 240 });
  scene.client.resume();
  scene.server.write("taken at once");
  await pass(scene, 30_000, undefined, 1000);
  assert.equal(scene.connection.closeReason, null);
  scene.connection.kill();
});

test("a client that takes less than minSendRate is reset, once the grace has passed", async () => {
  const scene = begin({ minSendRate: { bytesPerSecond: 50_000, grace: "5s" } });
  for (let i = 0; i < 100; i++) scene.server.write(Buffer.alloc(10_000));
  const passed = await pass(scene, 20_000, () => scene.client.read(1000));
  assert.equal(scene.connection.closeReason, "send-rate");
  assert.ok(passed >= 5000 && passed <= 6000, `after ${passed} ms`);
});

test("a client that takes minSendRate or more is served to the end", async () => {
  const scene = begin({ minSendRate: { bytesPerSecond: 5000, grace: "2s" } });
  for (let i = 0; i < 100; i++) scene.server.write(Buffer.alloc(10_000));
  await pass(scene, 9000, () => scene.client.read(10_000));
  assert.equal(scene.connection.closeReason, null);
  scene.connection.kill();
});

test("a client that drips the rest of what it began is cut by minReceiveRate", async () => {
  const scene = begin({ minReceiveRate: { bytesPerSecond: 100, grace: "5s" } });
  const reading = scene.connection.reader.bytes(100_000).catch((error: Error) => error);
  const passed = await pass(scene, 20_000, () => scene.client.write("."));
  assert.equal(scene.connection.closeReason, "receive-rate");
  assert.ok(passed >= 5000 && passed <= 6000, `after ${passed} ms`);
  assert.match(String(await reading), /receive-rate/);
});

test("time in which nobody waits for the client does not count against it", async () => {
  const scene = begin({ minReceiveRate: { bytesPerSecond: 100, grace: "1s" } });
  scene.client.write("a\n");
  assert.equal(await scene.connection.reader.line(), "a");
  scene.client.write("half");
  await pass(scene, 30_000, undefined, 1000);
  assert.equal(scene.connection.closeReason, null, "nobody reads");
  const reading = scene.connection.reader.line().catch((error: Error) => error);
  await pass(scene, 5000);
  assert.equal(scene.connection.closeReason, "receive-rate");
  await reading;
});

test("more than maxBufferedBytes that stay where they are end in a reset, and the limit is named", async () => {
  const scene = begin({ maxBufferedBytes: "100 kB", minSendRate: 0 });
  scene.client.pause();
  for (let i = 0; i < 50; i++) scene.server.write(Buffer.alloc(10_000));
  const passed = await pass(scene, 30_000);
  assert.equal(scene.connection.closeReason, "limit");
  assert.equal(scene.connection.closeLimit, "maxBufferedBytes");
  assert.ok(passed >= 20_000 && passed <= 21_000, `after ${passed} ms`);
});

test("fewer than maxBufferedBytes may stay", async () => {
  const scene = begin({ maxBufferedBytes: "100 kB" });
  scene.client.pause();
  for (let i = 0; i < 9; i++) scene.server.write(Buffer.alloc(10_000));
  await pass(scene, 20_000, undefined, 1000);
  assert.equal(scene.connection.closeReason, null);
  scene.connection.kill();
});

test("a connection that is idle at maxConnectionAge ends then; one at work is asked to close after it", async () => {
  const idle = begin({ maxConnectionAge: "1m" });
  const passed = await pass(idle, 100_000, undefined, 500);
  assert.equal(idle.connection.closeReason, "max-age");
  assert.ok(passed >= 54_000 && passed <= 66_500, `jittered by a tenth: ${passed}`);

  const busy = begin({ maxConnectionAge: "1m" });
  busy.client.write("work\n");
  await busy.connection.reader.line();
  await pass(busy, 70_000, undefined, 500);
  assert.equal(busy.connection.closeReason, null);
  assert.equal(busy.connection.shouldClose, true);
  busy.connection.kill();
});

test("our own pause is not the client's: neither a deadline nor a budget counts it", async () => {
  const scene = begin({ requestReadTimeout: "2s", responseSendTimeout: "2s", minSendRate: 1000 });
  scene.client.pause();
  scene.server.write(Buffer.alloc(200_000));
  await pass(scene, 1500);
  scene.clock.stall("60s");
  scene.clock.advance(0);
  await settle();
  assert.equal(scene.connection.closeReason, null);
  scene.client.resume();
  await settle();
  scene.client.write("a whole line\n");
  assert.equal(await scene.connection.reader.line(), "a whole line");
  scene.connection.kill();
});

test("a client that has really stopped ends after our pause, at its deadline plus the lateness", async () => {
  const scene = begin({ requestReadTimeout: "2s" });
  scene.clock.advance(1000);
  scene.clock.stall("60s");
  scene.clock.advance(0);
  assert.equal(scene.connection.closeReason, null);
  await settle();
  assert.equal(scene.connection.closeReason, null, "bytes that wait are read first");
  scene.clock.advance(20);
  assert.equal(scene.connection.closeReason, "read-timeout");
});
