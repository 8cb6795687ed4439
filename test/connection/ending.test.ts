import assert from "node:assert/strict";
import { once } from "node:events";
import { Socket, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { makeCustodian, newConnection, startConnectionManager } from "../../src/index.ts";
import { collectEvents, makePortPair } from "../../src/testing/index.ts";
import { until } from "../support/clients.ts";
import { connect, settle } from "../support/connections.ts";

test("the first cause is the reason, and it is told once", async () => {
  const { connection, client } = connect();
  const events = collectEvents(["portreeve.connection.closed"]);
  client.resume().on("end", () => client.end());
  connection.kill("evicted");
  connection.kill("killed");
  assert.equal(connection.closeReason, "evicted");
  assert.equal(await connection.closed, "evicted");
  assert.equal(await connection.closed, "evicted");
  await settle();
  events[Symbol.dispose]();
  assert.deepEqual(events.messages("portreeve.connection.closed"), [{ connection, reason: "evicted", phase: "idle" }]);
});

test("killing returns at once; the bytes written before reach the client, then its end", async () => {
  const { connection, client } = connect();
  connection.output.write("last ");
  connection.output.write("words");
  connection.kill();
  const received = await client.toArray();
  assert.equal(Buffer.concat(received as Buffer[]).toString(), "last words");
  client.end();
  assert.equal(await connection.closed, "killed");
});

test("a client that does not take the last bytes does not delay the end past lingerTimeout", async () => {
  const { connection, clock, client, server } = connect({ lingerTimeout: "2s" });
  client.pause();
  connection.output.write(Buffer.alloc(200_000));
  connection.kill();
  clock.advance(1990);
  assert.equal(server.destroyed, false);
  clock.advance(20);
  assert.equal(server.destroyed, true);
  assert.equal(await connection.closed, "killed");
});

test("a client that keeps its side open does not delay the end past lingerTimeout", async () => {
  const { connection, clock, client, server } = connect();
  client.resume();
  connection.kill();
  await settle();
  assert.equal(connection.phase, "draining");
  clock.advance("1s");
  clock.advance(10);
  assert.equal(server.destroyed, true);
  assert.equal(await connection.closed, "killed");
});

test("what the client still sends while the end is under way is read and thrown away", async () => {
  const { connection, client, server } = connect();
  client.resume();
  connection.kill();
  client.write(Buffer.alloc(500_000));
  client.end();
  assert.equal(await connection.closed, "killed");
  assert.equal(server.bytesRead, 500_000);
});

test("with a lingerTimeout of 0 nothing is waited for", async () => {
  const { connection, client } = connect({ lingerTimeout: 0 });
  client.on("error", () => {});
  connection.kill();
  assert.equal(await connection.closed, "killed");
});

test("shutting the custodian down ends the connection, last bytes included", async () => {
  const { connection, client, custodian } = connect();
  connection.output.write("bye");
  const report = custodian.shutdownAll();
  assert.equal(connection.closeReason, "owner-shutdown");
  const received = await client.toArray();
  assert.equal(Buffer.concat(received as Buffer[]).toString(), "bye");
  client.end();
  assert.deepEqual((await report).errors, []);
  assert.equal(connection.phase, "closed");
});

test("shutting a custodian above it down ends the connection", async () => {
  const manager = startConnectionManager();
  const parent = makeCustodian(null);
  const { server, client } = makePortPair();
  client.resume().on("end", () => client.end());
  const connection = newConnection(manager, server, server, parent.child(), false);
  await parent.shutdownAll();
  assert.equal(await connection.closed, "owner-shutdown");
});

test("what the connection's custodian owns ends with it, however it ends", async () => {
  const { connection, clock } = connect({}, "1s");
  const reasons: unknown[] = [];
  connection.custodian.defer((reason) => reasons.push(reason));
  clock.advance("1s");
  assert.deepEqual(reasons, ["read-timeout"]);
});

test("when both ports close by themselves the connection ends: the client has ended", async () => {
  const { connection, client, server } = connect();
  server.resume();
  client.end();
  server.end();
  client.resume();
  assert.equal(await connection.closed, "client-ended");
  assert.equal(connection.custodian.isShutDown, true);
});

test("ports that the program closes end the connection: it is completed", async () => {
  const { connection, client, server } = connect();
  client.on("error", () => {});
  server.destroy();
  assert.equal(await connection.closed, "completed");
});

test("a client that resets ends the connection silently", async () => {
  const { connection, client, errors } = connect();
  client.destroy();
  assert.equal(await connection.closed, "client-reset");
  assert.deepEqual(errors, []);
});

test("any other error of a port is reported, and ends its own connection only", async () => {
  const { connection, server, errors, manager } = connect();
  const other = makePortPair();
  const untouched = newConnection(manager, other.server, other.server, makeCustodian(null), false);
  const error = new Error("the cable melted");
  server.destroy(error);
  assert.equal(await connection.closed, "internal-error");
  assert.deepEqual(errors, [error]);
  assert.equal(untouched.closeReason, null);
  untouched.kill();
});

test("errors of closing are published, never thrown", async () => {
  const { connection, server, errors, client } = connect();
  const events = collectEvents(["portreeve.connection.error"]);
  client.resume().on("end", () => client.end());
  const error = new Error("the flush failed");
  server._final = (done) => done(error);
  connection.kill();
  assert.equal(await connection.closed, "killed");
  await settle();
  events[Symbol.dispose]();
  assert.deepEqual(errors, [error]);
  assert.deepEqual(events.messages("portreeve.connection.error"), [{ connection, error }]);
});

test("writing after the end is nobody's error", async () => {
  const { connection, client, errors } = connect();
  client.resume();
  connection.kill();
  connection.output.write("too late");
  await connection.closed;
  assert.deepEqual(errors, []);
});

test("a custodian that is shut down takes no connection, and the ports are closed", () => {
  const manager = startConnectionManager();
  const custodian = makeCustodian(null);
  void custodian.shutdownAll();
  const { server, client } = makePortPair();
  client.on("error", () => {});
  assert.throws(() => newConnection(manager, server, server, custodian, false), {
    code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN",
  });
  assert.equal(server.destroyed, true);
  assert.equal(manager.connections.size, 0);
});

test("disposing of a connection kills it and waits for its end", async () => {
  const { connection, client } = connect();
  client.resume().on("end", () => client.end());
  await connection[Symbol.asyncDispose]();
  assert.equal(connection.closeReason, "killed");
  assert.equal(connection.phase, "closed");
});

test("a socket whose connection has ended may be connected again, and ends as ever", async (t) => {
  const accepted: Socket[] = [];
  const listener = createServer((socket) => accepted.push(socket.resume()));
  t.after(() => listener.close());
  await once(listener.listen(0, "127.0.0.1"), "listening");
  const { port } = listener.address() as AddressInfo;
  const socket = new Socket();
  await once(socket.connect(port, "127.0.0.1"), "connect");
  const connection = newConnection(startConnectionManager(), socket, socket, makeCustodian(null), false);
  connection.kill();
  await connection.closed;
  await once(socket.connect(port, "127.0.0.1"), "connect");
  await until(() => accepted.length === 2);
  const [, second] = accepted;
  assert.ok(second);
  const ended = once(second, "end");
  socket.end();
  await ended;
});
