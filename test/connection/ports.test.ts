import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, connect as connectTo } from "node:net";
import type { AddressInfo } from "node:net";
import { Duplex, PassThrough } from "node:stream";
import { test } from "node:test";
import { connectionOf, makeCustodian, newConnection, startConnectionManager } from "../../src/index.ts";
import { makePortPair } from "../../src/testing/index.ts";
import { settle } from "../support/connections.ts";

const manager = startConnectionManager();

test("two separate streams make a connection: the output ends politely, and both are closed", async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const connection = newConnection(manager, input, output, makeCustodian(null), false);
  input.write("question\n");
  assert.equal(await connection.reader.line(), "question");
  connection.output.write("answer");
  connection.kill();
  assert.equal(Buffer.concat(await output.toArray()).toString(), "answer");
  assert.equal(await connection.closed, "killed");
  assert.equal(input.destroyed && output.destroyed, true);
});

test("with separate streams one that closes leaves the other in use; when both have, it ends", async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const connection = newConnection(manager, input, output, makeCustodian(null), false);
  input.end();
  assert.equal(await connection.reader.line(), null);
  await settle();
  assert.equal(connection.closeReason, null);
  output.resume();
  output.end();
  assert.equal(await connection.closed, "client-ended");
});

test("web streams are ports: adapted once, and locked by the connection", async () => {
  const inbound = new TransformStream<Uint8Array, Uint8Array>();
  const outbound = new TransformStream<Uint8Array, Uint8Array>();
  const connection = newConnection(manager, inbound.readable, outbound.writable, makeCustodian(null), false);
  assert.equal(inbound.readable.locked, true);
  assert.equal(outbound.writable.locked, true);
  const writer = inbound.writable.getWriter();
  void writer.write(Buffer.from("hello\n")).catch(() => {});
  assert.equal(await connection.reader.line(), "hello");
  connection.output.write("bye");
  connection.kill();
  const reader = outbound.readable.getReader();
  assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), "bye");
  assert.equal((await reader.read()).done, true);
  assert.equal(await connection.closed, "killed");
  await writer.closed.catch(() => {});
});

test("a web stream that somebody has locked is no port, and then the other one stays unlocked", () => {
  const locked = new WritableStream();
  locked.getWriter();
  const input = new ReadableStream();
  assert.throws(() => newConnection(manager, input, locked, makeCustodian(null), false), {
    name: "ArgumentTypeError",
    path: "output",
  });
  assert.equal(input.locked, false);
});

test("a port that a custodian manages already is handed over to the connection", async () => {
  const custodian = makeCustodian(null);
  const { server, client } = makePortPair();
  client.on("end", () => client.end());
  custodian.use(server);
  const connection = newConnection(manager, server, server, custodian, false);
  assert.deepEqual(custodian.managedList(), [connection]);
  connection.output.write("bye");
  const report = custodian.shutdownAll();
  assert.equal(Buffer.concat((await client.toArray()) as Buffer[]).toString(), "bye");
  await report;
  assert.equal(connection.closeReason, "owner-shutdown");
});

test("a port belongs to one connection at a time", () => {
  const { server } = makePortPair();
  const connection = newConnection(manager, server, server, makeCustodian(null), false);
  assert.equal(connectionOf(server), connection);
  assert.throws(() => newConnection(manager, server, server, makeCustodian(null), false), { path: "input" });
  connection.kill();
});

test("streams that never emit 'close' end, too", async () => {
  const port = new Duplex({
    emitClose: false,
    read() {},
    write(_chunk, _encoding, done) {
      done();
    },
  });
  const connection = newConnection(manager, port, port, makeCustodian(null), false);
  connection.kill("completed");
  port.push(null);
  assert.equal(await connection.closed, "completed");
});

test("a real socket is both ports; connectionOf finds the connection from whatever has it as its socket", async () => {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connectTo((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Duplex];
  const connection = newConnection(manager, socket, socket, makeCustodian(null), false);
  assert.equal(connectionOf(socket), connection);
  assert.equal(connectionOf({ socket }), connection);
  assert.equal(connectionOf({}), undefined);
  assert.equal(connectionOf(null), undefined);
  client.write("ping\n");
  assert.equal(await connection.reader.line(), "ping");
  connection.output.write("pong");
  connection.kill("completed");
  assert.equal(Buffer.concat((await client.toArray()) as Buffer[]).toString(), "pong");
  assert.equal(await connection.closed, "completed");
  server.close();
});
