import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { connect as connectHttp2, createSecureServer, createServer as createHttp2Server } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { psk, pskClient } from "./specimens/sockets.ts";
import { begin, listening } from "./support.ts";

test("a server that does not listen yet is owned, and listens no more after the shutdown", async () => {
  const { custodian } = begin();
  const server = custodian.use(createServer());
  assert.deepEqual(custodian.managedList(), [server]);
  await listening(server);
  const other = custodian.use(createHttpServer());
  await custodian.shutdownAll();
  assert.equal(server.listening, false);
  assert.equal(other.listening, false);
});

test("a TCP server stops listening at once and leaves its connections to their owners", async () => {
  const { custodian } = begin();
  const { server, port } = await listening(custodian.use(createServer()));
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = connect(port, "127.0.0.1");
  const [socket] = await accepted;
  void custodian.shutdownAll();
  assert.equal(server.listening, false);
  const { errors } = await custodian.shutdownAll();
  assert.deepEqual(errors, []);
  assert.equal(socket.destroyed, false);
  socket.end("still here");
  assert.equal(String((await once(client, "data"))[0]), "still here");
  client.end();
  await once(server, "close");
});

test("an HTTP server ends with its silent, idle, busy and upgraded connections", async () => {
  const { custodian, errors } = begin();
  const { server, port } = await listening(custodian.use(createHttpServer()));
  server.on("request", (incoming, response) => {
    if (incoming.url === "/idle") response.end();
  });
  server.on("upgrade", (_request, socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"));
  const ask = async (head: string) => {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    await once(socket, "connect");
    socket.write(head);
    return socket;
  };
  const silent = await ask("");
  const busy = await ask("GET /busy HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(server, "request");
  const idle = await ask("GET /idle HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(idle, "data");
  const upgraded = await ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  await once(upgraded, "data");
  const closed = [silent, busy, idle, upgraded].map((socket) => once(socket.resume(), "close"));
  const report = await custodian.shutdownAll();
  await Promise.all(closed);
  assert.deepEqual([...report.errors, ...errors], []);
});

for (const [what, make] of [
  ["HTTP/2 server", () => createHttp2Server()],
  ["HTTP/2 server on TLS", () => createSecureServer(psk)],
] as const) {
  test(`an ${what} ends with its sessions`, async () => {
    const { custodian, errors } = begin();
    const { server, port } = await listening(custodian.use(make()));
    server.on("stream", (stream: ServerHttp2Stream) => stream.on("error", () => {}).respond());
    const session = connectHttp2(`${what.endsWith("TLS") ? "https" : "http"}://127.0.0.1:${port}`, pskClient);
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST" }).on("error", () => {});
    await once(stream, "response");
    const closed = once(session, "close");
    const report = await custodian.shutdownAll();
    await closed;
    assert.deepEqual([...report.errors, ...errors], []);
  });
}

test("an HTTPS server ends with its connections, those in the handshake included", async () => {
  const { custodian, errors } = begin();
  const { server, port } = await listening(custodian.use(createHttpsServer(psk)));
  server.on("tlsClientError", () => {});
  const secure = connectTls({ ...pskClient, port, host: "127.0.0.1" }).on("error", () => {});
  await once(secure, "secureConnect");
  const accepted = once(server, "connection");
  const silent = connect(port, "127.0.0.1").on("error", () => {});
  await accepted;
  const closed = [silent, secure].map((socket) => once(socket.resume(), "close"));
  const report = await custodian.shutdownAll();
  await Promise.all(closed);
  assert.deepEqual([...report.errors, ...errors], []);
});

test("a server that moved to another custodian still ends with all of its connections", async () => {
  const { custodian: first } = begin();
  const { custodian: second, errors } = begin();
  const { server, port } = await listening(first.use(createHttpServer()));
  const accepted = once(server, "connection");
  const client = connect(port, "127.0.0.1").on("error", () => {});
  await accepted;
  first.moveTo(second);
  const closed = once(client, "close");
  await second.shutdownAll();
  await closed;
  assert.deepEqual(errors, []);
});
