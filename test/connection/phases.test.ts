import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { checkMove, phases } from "../../src/connection/phase.ts";
import { connect } from "../support/connections.ts";
import { compiledRoot } from "../support/paths.ts";

test("every phase can end, and only what is ending is closed", () => {
  for (const phase of phases) {
    if (phase !== "draining" && phase !== "closed") checkMove(phase, "draining");
    if (phase !== "draining") assert.throws(() => checkMove(phase, "closed"), { code: "ERR_PORTREEVE_ILLEGAL_PHASE" });
    assert.throws(() => checkMove("closed", phase), /cannot go from closed to/);
  }
});

test("in tests an illegal move throws", () => {
  const { connection } = connect();
  assert.equal(process.env["NODE_ENV"], "test");
  assert.throws(() => connection.enter("sending"), {
    code: "ERR_PORTREEVE_ILLEGAL_PHASE",
    message: "a connection cannot go from idle to sending",
  });
  assert.equal(connection.phase, "idle");
  connection.kill();
});

test("in production an illegal move is published and ends that connection, and no other", () => {
  const script = `
    const { newConnection, startConnectionManager, makeCustodian } = await import(process.argv[1] + "/src/index.js");
    const { makePortPair, collectEvents } = await import(process.argv[1] + "/src/testing/index.js");
    const events = collectEvents(["portreeve.connection.error"]);
    const errors = [];
    const manager = startConnectionManager({ onError: (error) => errors.push(error.code) });
    const connections = [1, 2].map(() => {
      const { server, client } = makePortPair();
      client.on("error", () => {});
      return newConnection(manager, server, server, makeCustodian(null), false);
    });
    connections[0].enter("sending");
    const reason = await connections[0].closed;
    console.log(JSON.stringify({ reason, errors, published: events.events.length, other: connections[1].closeReason }));
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script, compiledRoot], {
    encoding: "utf8",
    env: { ...process.env, NODE_ENV: "production" },
  });
  assert.equal(stderr, "");
  assert.deepEqual(JSON.parse(stdout), {
    reason: "internal-error",
    errors: ["ERR_PORTREEVE_ILLEGAL_PHASE"],
    published: 1,
    other: null,
  });
});

test("the first byte of a further request starts requestReadTimeout, however slowly the rest comes", async () => {
  const { connection, clock, client } = connect({ requestReadTimeout: "10s", idleTimeout: "75s", minReceiveRate: 0 });
  const { plan } = await import("../../src/connection/deadline-plan.ts");
  client.write("first\n");
  assert.equal(await connection.reader.line(), "first");
  assert.equal(connection.timer.deadline, 10_000, "the first request has been timed since the beginning");
  connection.enter("handling", plan.response);
  connection.enter("idle", plan.idle);
  assert.equal(connection.timer.deadline, 75_000);
  clock.advance("20s");
  const reading = connection.reader.line().catch((error: Error) => error);
  client.write("sec");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(connection.phase, "reading");
  assert.equal(connection.timer.deadline, 30_000);
  clock.advance("9s");
  client.write("o");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(connection.timer.deadline, 30_000);
  clock.advance("1s");
  assert.equal(connection.closeReason, "read-timeout");
  assert.match(String(await reading), /the connection has ended \(read-timeout\)/);
});

test("a deadline that the program moved is not shortened by progress", async () => {
  const { connection, client } = connect({ requestReadTimeout: "10s", idleTimeout: "75s" });
  const { plan } = await import("../../src/connection/deadline-plan.ts");
  client.write("first\n");
  await connection.reader.line();
  connection.enter("handling", plan.response);
  connection.enter("idle", plan.idle);
  connection.resetTimeout("5m");
  client.write("second\n");
  assert.equal(await connection.reader.line(), "second");
  assert.equal(connection.phase, "reading");
  assert.equal(connection.timer.deadline, 300_000);
  connection.kill();
});

test("every phase has its deadline, and its reason", async () => {
  const { plan } = await import("../../src/connection/deadline-plan.ts");
  const limits = { handshakeTimeout: "1s", requestReadTimeout: "2s", idleTimeout: "3s", responseTimeout: "4s" };
  for (const [move, timeout, reason] of [
    [(c: ReturnType<typeof connect>) => c.connection.enter("handshaking", plan.handshake), 1000, "handshake-timeout"],
    [() => {}, 2000, "read-timeout"],
    [(c: ReturnType<typeof connect>) => c.connection.enter("idle", plan.idle), 3000, "idle-timeout"],
    [(c: ReturnType<typeof connect>) => c.connection.enter("handling", plan.response), 4000, "response-timeout"],
  ] as const) {
    const scene = connect(limits);
    move(scene);
    scene.clock.advance(timeout - 1);
    assert.equal(scene.connection.closeReason, null);
    scene.clock.advance(1);
    assert.equal(scene.connection.closeReason, reason);
  }
});
