import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import { connectionOf } from "../../src/index.ts";
import type { CloseReason, RunningServer } from "../../src/index.ts";
import { certificate } from "../support/certificate.ts";
import { dial, echo, everything, gate, until } from "../support/clients.ts";

async function dialSecurely(port: number, allowHalfOpen = false): Promise<TLSSocket> {
  const options = { port, host: "127.0.0.1", rejectUnauthorized: false, allowHalfOpen };
  const socket = connect(options);
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

/** The reason of the next connection to end. */
async function reasonOf(server: RunningServer): Promise<CloseReason> {
  await until(() => server.connections.size > 0);
  const [connection] = server.connections;
  assert.ok(connection);
  return connection.closed;
}

test("with the option tls the same protocol is spoken over TLS, and the answer to a client that ended arrives", async () => {
  const server = await echo({ tls: await certificate() });
  const client = await dialSecurely(server.port, true);
  client.end("one\ntwo\n");
  assert.equal(await everything(client), "one\ntwo\n");
  client.destroy();
  await server.close();
});

test("raw socket and TLS layer are one connection, and both close with it", async () => {
  const server = await echo({ tls: await certificate() });
  const client = await dialSecurely(server.port);
  client.write("hello\n");
  await once(client, "data");
  assert.equal(server.connections.size, 1);
  const [connection] = server.connections;
  assert.ok(connection?.raw);
  assert.equal(connectionOf(connection.raw), connection);
  assert.equal(connectionOf(connection.input), connection);
  const ended = everything(client);
  connection.kill();
  await ended;
  assert.equal(await connection.closed, "killed");
  assert.equal(connection.raw.destroyed && connection.input.destroyed, true);
  await server.close();
});

test("a client that never begins its handshake ends at handshakeTimeout", async () => {
  const server = await echo({ tls: await certificate(), safetyLimits: { handshakeTimeout: 150 } });
  const client = await dial(server.port);
  const reason = reasonOf(server);
  await everything(client);
  assert.equal(await reason, "handshake-timeout");
  await until(() => server.served === 0);
  await server.close();
});

test("a client that sends something else than TLS is a protocol error, silently", async () => {
  const errors: Error[] = [];
  const server = await echo({ tls: await certificate(), onError: (error) => errors.push(error) });
  const client = await dial(server.port);
  const reason = reasonOf(server);
  client.write("GET / HTTP/1.0\r\n\r\n");
  await everything(client);
  assert.equal(await reason, "protocol-error");
  assert.deepEqual(errors, []);
  await server.close();
});

test("a client that leaves in the middle of the handshake has ended; one that resets has reset", async () => {
  const server = await echo({ tls: await certificate() });
  const leaving = await dial(server.port);
  let reason = reasonOf(server);
  leaving.end();
  assert.equal(await reason, "client-ended");
  const resetting = await dial(server.port);
  reason = reasonOf(server);
  await until(() => [...server.connections][0]?.phase === "handshaking");
  resetting.resetAndDestroy();
  assert.equal(await reason, "client-reset");
  await server.close();
});

test("after the handshake the first request has requestReadTimeout", async () => {
  const server = await echo({
    tls: await certificate(),
    safetyLimits: { handshakeTimeout: "5s", requestReadTimeout: 150 },
  });
  const reason = reasonOf(server);
  const client = await dialSecurely(server.port);
  await everything(client);
  assert.equal(await reason, "read-timeout");
  await server.close();
});

test("a TLS client that does not read is reset at responseSendTimeout", async () => {
  const server = await echo({
    tls: await certificate(),
    safetyLimits: { responseSendTimeout: 300, minSendRate: 0 },
    dispatch: (connection) => void connection.output.write(Buffer.alloc(30_000_000)),
  });
  const client = await dialSecurely(server.port);
  client.pause();
  const reason = reasonOf(server);
  client.write("x\n");
  assert.equal(await reason, "send-timeout");
  client.destroy();
  await server.close();
});

test("last words over TLS arrive whole", async () => {
  const size = 1_000_000;
  const server = await echo({
    tls: await certificate(),
    dispatch: (connection) => {
      connection.output.write(Buffer.alloc(size, "x"));
      connection.kill();
    },
  });
  const client = await dialSecurely(server.port);
  client.write("x\n");
  assert.equal((await everything(client)).length, size);
  await server.close();
});

test("a drain ends handshakes at once", async () => {
  const server = await echo({ tls: await certificate() });
  const client = await dial(server.port);
  await until(() => server.connections.size === 1);
  const ended = everything(client);
  const report = await server.drain({ grace: "10s" });
  await ended;
  assert.equal(report.idle, 1);
  assert.ok(report.duration < 5000);
});

test("one handshake that hangs does not keep others waiting", async () => {
  const server = await echo({ tls: await certificate() });
  const hanging = await dial(server.port);
  const client = await dialSecurely(server.port);
  const answered = gate<string>();
  client.once("data", (data: Buffer) => answered.open(String(data)));
  client.write("hello\n");
  assert.equal(await answered.promise, "hello\n");
  hanging.destroy();
  await server.close();
});
