import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCustodian, newConnection, startConnectionManager } from "../../src/index.ts";
import { collectEvents, makePortPair } from "../../src/testing/index.ts";
import { connect, settle } from "../support/connections.ts";

test("the registry lists the connections that live, oldest first, and finds them by id", async () => {
  const { connection: first, manager, client } = connect();
  client.resume().on("end", () => client.end());
  const { server } = makePortPair();
  const second = newConnection(manager, server, server, makeCustodian(null), false);
  assert.deepEqual([...manager.connections], [first, second]);
  assert.equal(manager.connections.size, 2);
  assert.equal(manager.connections.find(second.id), second);
  assert.equal(manager.connections.find(-1), undefined);
  assert.notEqual(first.id, second.id);
  first.kill();
  assert.equal(manager.connections.find(first.id), first, "listed until its ports have closed");
  await first.closed;
  assert.deepEqual([...manager.connections], [second]);
  second.kill();
});

test("the registry counts by phase", async () => {
  const { connection, manager, client } = connect();
  const { server } = makePortPair();
  const other = newConnection(manager, server, server, makeCustodian(null), false);
  client.write("half a li");
  void connection.reader.line().catch(() => {});
  await settle();
  const counts = manager.connections.countByPhase();
  assert.equal(counts.reading, 1);
  assert.equal(counts.idle, 1);
  assert.equal(counts.closed, 0);
  connection.kill();
  assert.equal(manager.connections.countByPhase().draining, 1);
  other.kill();
});

test("disposing of the manager kills its connections, and it makes no more", async () => {
  const { connection, manager, client, clock } = connect({ requestReadTimeout: "10s" });
  client.resume().on("end", () => client.end());
  await manager[Symbol.asyncDispose]();
  assert.equal(connection.closeReason, "killed");
  assert.equal(connection.phase, "closed");
  assert.equal(manager.isDisposed, true);
  const { server } = makePortPair();
  assert.throws(() => newConnection(manager, server, server, makeCustodian(null), false), {
    code: "ERR_PORTREEVE_MANAGER_DISPOSED",
  });
  assert.equal(server.destroyed, false);
  clock.advance("1h");
});

test("a manager whose connections have ended asks its clock for nothing", async () => {
  const { connection, manager, client, clock } = connect({ requestReadTimeout: "10s" });
  client.resume().on("end", () => client.end());
  connection.kill();
  await connection.closed;
  assert.equal(manager.timers.size, 0);
  assert.equal(manager.plainTimers.size, 0);
  clock.advance("10s");
  assert.equal(clock.pending, 0);
});

test("the life of a connection is published: opened, each phase, closed", async () => {
  const events = collectEvents([
    "portreeve.connection.opened",
    "portreeve.connection.phase",
    "portreeve.connection.closed",
  ]);
  const { connection, client } = connect();
  client.resume().on("end", () => client.end());
  client.write("hello\n");
  assert.equal(await connection.reader.line(), "hello");
  connection.kill();
  await connection.closed;
  events[Symbol.dispose]();
  assert.deepEqual(
    events.events.map(({ name, message }) => {
      const { from, to, reason, phase } = message as Record<string, string>;
      return [name.slice("portreeve.connection.".length), from, to, reason, phase].filter(Boolean).join(" ");
    }),
    ["opened", "phase idle reading", "phase reading draining", "phase draining closed", "closed killed reading"],
  );
});

test("an onError that throws breaks nothing", async () => {
  const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
  const manager = startConnectionManager({
    onError: () => {
      throw new Error("the handler failed, too");
    },
  });
  const { server, client } = makePortPair();
  client.on("error", () => {});
  const connection = newConnection(manager, server, server, makeCustodian(null), false);
  server.destroy(new Error("broken"));
  assert.equal(await connection.closed, "internal-error");
  const warning = await warned;
  assert.equal(warning.name, "PortreeveConnectionWarning");
  assert.match(warning.message, /the handler failed, too/);
});

test("without onError an error is a process warning", async () => {
  const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
  const manager = startConnectionManager();
  const { server, client } = makePortPair();
  client.on("error", () => {});
  const connection = newConnection(manager, server, server, makeCustodian(null), false);
  server.destroy(new Error("the cable melted"));
  await connection.closed;
  const warning = await warned;
  assert.equal(warning.name, "PortreeveConnectionWarning");
  assert.match(warning.message, /the cable melted/);
});
