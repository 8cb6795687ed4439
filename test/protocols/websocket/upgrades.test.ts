import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { test } from "node:test";
import { connectionOf } from "../../../src/index.ts";
import type { DrainReport } from "../../../src/index.ts";
import { answers, settle, startWeb, until } from "../http1/web.ts";
import { askForUpgrade } from "./sockets.ts";

/** A server that hands those who leave HTTP to `taken`. */
function upgrading(event: "upgrade" | "connect", taken: (socket: Socket) => void): Server {
  return createServer((_request, response) => response.end("ok")).on(event, (_request, socket: Socket) =>
    taken(socket),
  );
}

function cuts({ cut }: DrainReport): string[] {
  return cut.map(({ reason, phase }) => `${reason} while ${phase}`);
}

const tunnel = "CONNECT far:1 HTTP/1.1\r\nHost: far:1\r\n\r\n";

test("a tunnel is upgraded once the program says 200, and carries bytes both ways past every default", async (t) => {
  const web = await startWeb(
    t,
    upgrading("connect", (socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(socket);
    }),
  );
  const client = await web.connect();
  client.write(tunnel);
  await client.gets(/\r\n\r\n$/);
  await web.pass(600_000);
  client.write("hello");
  await client.gets(/hello$/);
  await web.pass(600_000);
  assert.deepEqual(
    [...web.server.connections].map(({ phase }) => phase),
    ["upgraded"],
  );
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["client-ended while upgraded"]);
});

test("a silent tunnel is closed with FIN and not a byte at upgradedIdleTimeout, and so is another protocol", async (t) => {
  for (const event of ["connect", "upgrade"] as const) {
    const sockets: Socket[] = [];
    const web = await startWeb(
      t,
      upgrading(event, (socket) => {
        sockets.push(socket);
        socket.write(`HTTP/1.1 ${event === "connect" ? 200 : 101} OK\r\n\r\n`);
        socket.resume();
      }),
      { upgradedIdleTimeout: "10s", pingInterval: "1s" },
    );
    const client = await web.connect();
    client.write(event === "connect" ? tunnel : askForUpgrade("news"));
    await client.gets(/\r\n\r\n$/);
    await web.pass(9000);
    sockets[0]?.write("x");
    await client.gets(/x$/);
    await web.pass(9000);
    assert.deepEqual(web.ends(), []);
    await web.pass(1500);
    assert.equal(await client.ended, "FIN");
    assert.match(client.received, /\r\n\r\nx$/);
    client.end();
    await until(() => web.ends().length === 1);
    assert.deepEqual(web.ends(), ["upgraded-timeout while upgraded"]);
  }
});

test("of tunnels the program is told in a drain; one that it ends is finished, the others are cut at the grace period", async (t) => {
  const web = await startWeb(
    t,
    upgrading("connect", (socket) => void socket.write("HTTP/1.1 200 OK\r\n\r\n")),
  );
  const told: Socket[] = [];
  const clients = [await web.connect(), await web.connect()];
  for (const client of clients) client.write(tunnel);
  for (const client of clients) await client.gets(/\r\n\r\n$/);
  const { subscribe, unsubscribe } = await import("node:diagnostics_channel");
  const hear = (message: unknown): void =>
    void told.push((message as { connection: { output: Socket } }).connection.output);
  subscribe("portreeve.connection.draining", hear);
  t.after(() => unsubscribe("portreeve.connection.draining", hear));
  const drained = web.server.drain({ grace: "3s" });
  await settle();
  assert.equal(told.length, 2);
  told[0]?.end("goodbye");
  told[0]?.resume();
  for (const client of clients) if (client.socket.localPort === told[0]?.remotePort) client.end();
  await web.pass(2900);
  assert.equal(web.ends().length, 1);
  await web.pass(100);
  const report = await drained;
  assert.equal(report.finished, 1);
  assert.deepEqual(cuts(report), ["drain-cut while upgraded"]);
});

test("a request to upgrade that the program refuses is an exchange of HTTP, and its connection no WebSocket", async (t) => {
  const web = await startWeb(
    t,
    upgrading("upgrade", (socket) => void socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")),
  );
  const client = await web.connect();
  client.write(askForUpgrade("websocket"));
  assert.deepEqual(
    answers(await client.all()).map(({ status }) => status),
    [401],
  );
  const [connection] = web.server.connections;
  assert.equal(connection?.phase, "handling");
  client.end();
  await until(() => web.ends().length === 1);
  assert.equal(client.received.includes("\x88"), false);
});

test("a refusal that is written and never ended is ended by responseTimeout, without a second answer", async (t) => {
  const web = await startWeb(
    t,
    upgrading("upgrade", (socket) => void socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")),
    { responseTimeout: "5s" },
  );
  const client = await web.connect();
  client.write(askForUpgrade("websocket"));
  await client.gets(/\r\n\r\n$/);
  await web.pass(5000);
  assert.deepEqual(
    answers(await client.all()).map(({ status }) => status),
    [403],
  );
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["response-timeout while handling"]);
});

test("a request to upgrade that nobody answers gets 503 at responseTimeout, and 503 when a drain cuts it", async (t) => {
  const web = await startWeb(
    t,
    upgrading("upgrade", () => {}),
    { responseTimeout: "5s" },
  );
  const forgotten = await web.connect();
  forgotten.write(askForUpgrade("websocket"));
  await until(() => [...web.server.connections].some(({ phase }) => phase === "handling"));
  await web.pass(5000);
  assert.deepEqual(
    answers(await forgotten.all()).map(({ status }) => status),
    [503],
  );
  forgotten.end();
  await until(() => web.ends().length === 1);
  const second = await web.connect();
  second.write(askForUpgrade("websocket"));
  await until(() => [...web.server.connections].some(({ phase }) => phase === "handling"));
  const drained = web.server.drain({ grace: "1s" });
  await web.pass(1000);
  assert.deepEqual(cuts(await drained), ["drain-cut while handling"]);
  assert.equal(answers(await second.all())[0]?.status, 503);
});

test("a listener for upgrades that throws ends its own connection", async (t) => {
  const web = await startWeb(
    t,
    upgrading("upgrade", () => {
      throw new Error("no such room");
    }),
  );
  const client = await web.connect();
  client.write(askForUpgrade("websocket"));
  assert.equal(answers(await client.all())[0]?.status, 500);
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["handler-error while handling"]);
  assert.deepEqual(
    web.errors.map(({ message }) => message),
    ["no such room"],
  );
});

test("an upgrade after other requests on its connection leaves no idle timer of node:http behind", async (t) => {
  const sockets: Socket[] = [];
  const web = await startWeb(
    t,
    upgrading("upgrade", (socket) => {
      sockets.push(socket);
      socket.write("HTTP/1.1 101 Switching\r\n\r\n");
    }),
  );
  const client = await web.connect();
  for (let i = 0; i < 5; i++) {
    client.received = "";
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.gets(/ok$/);
    await until(() => [...web.server.connections].every(({ phase }) => phase === "idle"));
  }
  client.write(askForUpgrade("websocket"));
  await until(() => sockets.length === 1);
  assert.equal(sockets[0]?.timeout ?? 0, 0);
  assert.equal(Object.hasOwn(sockets[0] ?? {}, "setTimeout"), false);
});

test("once the answer is seen, the socket has nothing of ours on it but its mark and the news of its end", async (t) => {
  const seen: (string | symbol)[][] = [];
  const bare = createServer().on("upgrade", (_request, socket: Socket) => {
    socket.write("HTTP/1.1 101 Switching\r\n\r\n");
    seen.push(Reflect.ownKeys(socket));
    socket.destroy();
  });
  const managed = upgrading("upgrade", (socket) => {
    socket.write("HTTP/1.1 101 Switching\r\n\r\n");
    seen.push(Reflect.ownKeys(socket));
    assert.equal(connectionOf(socket)?.phase, "upgraded");
  });
  await new Promise<void>((resolve) => void bare.listen(0, "127.0.0.1", () => resolve()));
  t.after(() => void bare.close());
  const { port } = bare.address() as { port: number };
  const plain = connect(port, "127.0.0.1");
  plain.end(askForUpgrade("websocket"));
  const web = await startWeb(t, managed);
  const client = await web.connect();
  client.write(askForUpgrade("websocket"));
  await until(() => seen.length === 2);
  const [first = [], second = []] = seen.sort((a, b) => a.length - b.length);
  assert.deepEqual(second.filter((key) => !first.includes(key)).map(String), ["_destroy", "Symbol(portreeve.port.v1)"]);
});
