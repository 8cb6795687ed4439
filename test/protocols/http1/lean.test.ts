/**
 * What a connection of node:http under a manager does not cost, and sockets that are no sockets.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { manage } from "../../../src/index.ts";
import { looksOf } from "../../support/fast-properties.ts";
import { get, startWeb, until } from "./web.ts";

test("a socket of node:http keeps its fast properties under a manager, while it is served and when it has closed", () => {
  const seen = looksOf(`
    import { createServer } from "node:http";
    import { connect } from "node:net";
    const web = createServer((request, response) => {
      look(request.socket);
      response.on("close", () => look(request.socket));
      response.end("hello");
    });
    const managed = manage(web);
    await once(web.listen(0, "127.0.0.1"), "listening");
    const client = connect(web.address().port, "127.0.0.1");
    client.write("GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n");
    await once(client, "data");
    for (const connection of managed.connections) {
      look(connection.input);
      connection.closed.then(() => look(connection.input));
    }
    client.end();
    await once(client, "close");
    await managed.close();
  `);
  assert.deepEqual(seen, [true, true, true, true]);
});

test("a connection has no custodian until somebody asks for it", async (t) => {
  const web = await startWeb(t, (_request, response) => response.end("ok"));
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/ok$/);
  const [connection] = web.server.connections;
  assert.equal(connection?.hasCustodian, false);
  assert.equal(connection.custodian.isShutDown, false);
  assert.equal(connection.hasCustodian, true);
  const { custodian } = connection;
  client.end();
  await until(() => web.ends().length === 1);
  assert.equal(custodian.isShutDown, true);
});

test("a custodian that is first asked for when its connection has ended is shut down", async (t) => {
  const web = await startWeb(t, (_request, response) => response.end("ok"));
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/ok$/);
  const [connection] = web.server.connections;
  client.end();
  await until(() => web.ends().length === 1);
  assert.equal(connection?.custodian.isShutDown, true);
  assert.equal(connection.custodian, connection.custodian);
});

test("a server serves a stream in memory that is handed to it as a connection, and drains it", async () => {
  const web = createServer((request, response) => response.end(request.url));
  const managed = manage(web);
  let received = "";
  const stream = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      received += String(chunk);
      done();
    },
    final(done) {
      done();
      stream.push(null);
    },
  });
  web.emit("connection", stream);
  for (const path of ["/a", "/b"]) {
    stream.push(get(path));
    await until(() => received.endsWith(path));
    const [connection] = managed.connections;
    await until(() => connection?.phase === "idle");
  }
  const { idle, cut } = await managed.drain({ grace: "1s" });
  assert.deepEqual({ idle, cut }, { idle: 1, cut: [] });
  assert.equal(stream.destroyed, true);
});

for (const [how, headers] of [
  ["after an answer that says close", { Connection: "close" }],
  ["by a drain", {}],
] as const) {
  test(`a connection that was ended ${how} is ended once, though its client ends it, too`, async (t) => {
    let ends = 0;
    const web = await startWeb(t, ({ socket }, response) => {
      const { end } = socket;
      // What ours, or Node's own, comes to in the end.
      t.mock.method(Object.getPrototypeOf(socket) as Socket, "end", function count(this: Socket, ...args: unknown[]) {
        if (this === socket) ends++;
        return Reflect.apply(end, this, args) as Socket;
      });
      response.writeHead(200, headers).end("ok");
    });
    const client = await web.connect();
    client.write(get("/"));
    await client.gets(/ok/);
    const drained = "Connection" in headers ? undefined : web.server.drain();
    assert.equal(await client.ended, "FIN");
    client.end();
    await until(() => web.server.connections.size === 0);
    assert.equal(ends, 1);
    await drained;
  });
}

test("a program that ends a connection once more, with something to say or to be told, is answered as Node does", async (t) => {
  const sockets: Socket[] = [];
  const web = await startWeb(t, ({ socket }, response) => {
    sockets.push(socket);
    response.writeHead(200, { Connection: "close" }).end("ok");
  });
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/ok/);
  assert.equal(await client.ended, "FIN");
  const [socket] = sockets;
  assert.ok(socket);
  assert.equal(socket.end(), socket);
  const told = await new Promise<NodeJS.ErrnoException | undefined>((tell) => {
    socket.end((error?: NodeJS.ErrnoException) => tell(error));
  });
  assert.equal(told?.code, "ERR_STREAM_ALREADY_FINISHED");
});
