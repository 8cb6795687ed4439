import assert from "node:assert/strict";
import { test } from "node:test";
import {
  adjustConnectionTimeout,
  isConnection,
  isConnectionManager,
  killConnection,
  makeCustodian,
  makeSafetyLimits,
  makeUnlimitedSafetyLimits,
  newConnection,
  resetConnectionTimeout,
  startConnectionManager,
} from "../../src/index.ts";
import { isTimer } from "../../src/timers/index.ts";
import { ManualClock, makePortPair } from "../../src/testing/index.ts";
import { connect } from "../support/connections.ts";

test("a connection has a timer, two ports, a custodian and whether it should close", () => {
  const { connection, server, custodian, manager } = connect();
  assert.equal(isTimer(connection.timer), true);
  assert.equal(connection.input, server);
  assert.equal(connection.output, server);
  assert.equal(connection.custodian, custodian);
  assert.equal(connection.manager, manager);
  assert.equal(connection.shouldClose, false);
  connection.shouldClose = true;
  assert.equal(connection.shouldClose, true);
  connection.kill();
});

test("isConnection and isConnectionManager tell them from everything else", () => {
  const { connection, manager } = connect();
  assert.equal(isConnection(connection), true);
  assert.equal(isConnectionManager(manager), true);
  for (const other of [undefined, null, 0, "x", {}, [], () => {}, Symbol("s"), manager, makeCustodian(null)]) {
    assert.equal(isConnection(other), false);
    if (other !== manager) assert.equal(isConnectionManager(other), false);
  }
  assert.equal(isConnectionManager(connection), false);
  connection.kill();
});

test("a manager that is started without limits has the unlimited ones", () => {
  assert.deepEqual(startConnectionManager().safetyLimits, makeUnlimitedSafetyLimits());
  assert.deepEqual(startConnectionManager({}).safetyLimits, makeUnlimitedSafetyLimits());
  const limits = makeSafetyLimits({ requestReadTimeout: "10s" });
  assert.equal(startConnectionManager({ safetyLimits: limits }).safetyLimits, limits);
});

test("plain options as limits are completed with the safe defaults", () => {
  const manager = startConnectionManager({ safetyLimits: { requestReadTimeout: "10s" } });
  assert.deepEqual(manager.safetyLimits, makeSafetyLimits({ requestReadTimeout: "10s" }));
});

test("with five arguments the first timeout is requestReadTimeout", async () => {
  const { clock, connection } = connect({ requestReadTimeout: "10s" });
  assert.equal(connection.timer.deadline, 10_000);
  clock.advance(9999);
  assert.equal(connection.closeReason, null);
  clock.advance(1);
  assert.equal(connection.closeReason, "read-timeout");
});

test("with five arguments and no limits the connection lasts for ever", () => {
  const { clock, connection } = connect();
  assert.equal(connection.timer.deadline, Infinity);
  clock.advance("400d");
  assert.equal(connection.closeReason, null);
  connection.kill();
});

test("with six arguments the first timeout is the one given, whatever the limits say, and the others still apply", async () => {
  const { clock, connection, server, client } = connect({ responseSendTimeout: "30s", minSendRate: 0 }, "1h");
  assert.equal(connection.timer.deadline, 3_600_000);
  client.pause();
  server.write(Buffer.alloc(200_000));
  clock.advance("29s");
  assert.equal(connection.closeReason, null);
  clock.advance("2s");
  assert.equal(connection.closeReason, "send-timeout");
});

test("killing cancels the timer, closes both ports and shuts the custodian down", async () => {
  const { connection, custodian, server, client } = connect({ requestReadTimeout: "10s" });
  client.resume().on("end", () => client.end());
  killConnection(connection);
  assert.equal(connection.timer.active, false);
  assert.equal(custodian.isShutDown, true);
  assert.equal(await connection.closed, "killed");
  assert.equal(server.destroyed, true);
  killConnection(connection, "evicted");
  assert.equal(connection.closeReason, "killed");
});

test("adjusting moves the deadline by that much, also to earlier; resetting, to that long from now", () => {
  const { clock, connection } = connect({}, "10s");
  clock.advance("4s");
  assert.equal(adjustConnectionTimeout(connection, "5s"), true);
  assert.equal(connection.timer.deadline, 15_000);
  assert.equal(adjustConnectionTimeout(connection, -3000), true);
  assert.equal(connection.timer.deadline, 12_000);
  assert.equal(resetConnectionTimeout(connection, "30s"), true);
  assert.equal(connection.timer.deadline, 34_000);
  assert.equal(connection.resetTimeout("1s"), true);
  clock.advance("1s");
  assert.equal(connection.closeReason, "read-timeout");
  assert.equal(adjustConnectionTimeout(connection, "5s"), false);
  assert.equal(resetConnectionTimeout(connection, "5s"), false);
});

test("a deadline that is shortened is honoured on time, unlike Racket's", () => {
  const { clock, connection } = connect({}, "1h");
  clock.advance(1000);
  connection.adjustTimeout("-59m");
  connection.resetTimeout(50);
  clock.advance(60);
  assert.equal(connection.closeReason, "read-timeout");
});

test("one manager times many connections", () => {
  const clock = new ManualClock();
  const manager = startConnectionManager({ clock, safetyLimits: { requestReadTimeout: 100 } });
  const parent = makeCustodian(null, { clock });
  const connections = Array.from({ length: 50 }, (_, i) => {
    const { server } = makePortPair();
    return newConnection(manager, 10 * (i + 1), server, server, parent.child(), false);
  });
  clock.advance(250);
  assert.deepEqual(
    connections.map((connection) => connection.closeReason),
    connections.map((_, i) => (i < 25 ? "read-timeout" : null)),
  );
  void parent.shutdownAll();
});
