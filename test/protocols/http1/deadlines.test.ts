import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { TcpClient } from "../../support/tcp-client.ts";
import { answers, get, settle, startWeb, until } from "./web.ts";
import type { Web } from "./web.ts";
import type { Connection } from "../../../src/connection/connection.ts";

function onlyConnection({ server }: Web): Connection {
  const [connection] = server.connections;
  assert.ok(connection !== undefined && server.connections.size === 1);
  return connection;
}

test("a connection goes from idle to reading, handling and idle again, and its deadline with it", async (t) => {
  const web = await startWeb(t, (_request, response) => response.end("ok"));
  const client = await web.connect();
  await until(() => web.server.connections.size === 1);
  const connection = onlyConnection(web);
  assert.equal(connection.phase, "idle");
  assert.equal(connection.timer.deadline, 60_000, "requestReadTimeout, since it was accepted");
  client.write("GET / HT");
  await until(() => connection.bytesReceived === 8);
  web.clock.advance(1000);
  assert.equal(connection.phase, "reading");
  assert.equal(connection.timer.deadline, 60_000, "the first byte does not move it");
  client.write("TP/1.1\r\nHost: x\r\n\r\n");
  await client.gets(/ok$/);
  await until(() => connection.phase === "idle");
  assert.equal(connection.timer.deadline, 1000 + 75_000, "idleTimeout");
  web.clock.advance(10_000);
  const before = connection.bytesReceived;
  client.write("GET / HT");
  await until(() => connection.bytesReceived === before + 8);
  web.clock.advance(20);
  assert.equal(connection.phase, "reading");
  assert.equal(connection.timer.deadline, 11_020 + 60_000, "requestReadTimeout, since its first byte was seen");
  client.write("TP/1.1\r\nHost: x\r\n\r\n");
  await client.gets(/ok[^]*ok$/);
  await until(() => connection.phase === "idle");
  assert.deepEqual(web.phases(connection), ["reading", "handling", "idle", "reading", "handling", "idle"]);
});

test("a client that says nothing is closed without a word", async (t) => {
  const web = await startWeb(t, () => assert.fail("no request came"), { requestReadTimeout: "2s" });
  const client = await web.connect();
  await until(() => web.server.connections.size === 1);
  web.clock.advance(1990);
  assert.equal(onlyConnection(web).closeReason, null);
  web.clock.advance(20);
  assert.equal(await client.all(), "");
  assert.equal(await client.ended, "FIN");
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["read-timeout while idle"]);
});

for (const [name, start] of [
  ["half a head", "GET / HTTP/1.1\r\nHos"],
  ["one byte", "G"],
] as const) {
  test(`${name} is answered with 408, and the connection closed`, async (t) => {
    const web = await startWeb(t, () => assert.fail("no request came"), { requestReadTimeout: "2s" });
    const client = await web.connect();
    client.write(start);
    await until(() => web.server.connections.size === 1 && onlyConnection(web).bytesReceived === start.length);
    web.clock.advance("2s");
    const [answer] = answers(await client.all());
    assert.equal(answer?.status, 408);
    assert.match(answer?.head ?? "", /^Connection: close\r$/m);
    client.end();
    await until(() => web.ends().length === 1);
    assert.deepEqual(web.ends(), ["read-timeout while reading"]);
  });
}

test("a kept-alive connection that goes quiet is closed without a word at idleTimeout", async (t) => {
  const web = await startWeb(t, (_request, response) => response.end("ok"), { idleTimeout: "5s" });
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/ok$/);
  await until(() => onlyConnection(web).phase === "idle");
  const { received } = client;
  web.clock.advance("5s");
  assert.equal(await client.ended, "FIN");
  assert.equal(client.received, received);
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["idle-timeout while idle"]);
});

test("a byte that comes just before idleTimeout gives the next request its own time", async (t) => {
  const web = await startWeb(t, (_request, response) => response.end("ok"), {
    idleTimeout: "5s",
    requestReadTimeout: "3s",
  });
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/ok$/);
  const connection = onlyConnection(web);
  await until(() => connection.phase === "idle");
  web.clock.advance(4999);
  const before = connection.bytesReceived;
  client.write("G");
  await until(() => connection.bytesReceived > before);
  web.clock.advance(1);
  assert.deepEqual([connection.phase, connection.closeReason], ["reading", null]);
  web.clock.advance("3s");
  assert.equal(answers(await client.all()).at(-1)?.status, 408);
});

test("a handler that never answers: 503, and the connection is closed", async (t) => {
  const web = await startWeb(t, () => {}, { responseTimeout: "2s" });
  const client = await web.connect();
  client.write(get("/"));
  await until(() => web.server.connections.size === 1 && onlyConnection(web).phase === "handling");
  web.clock.advance(1990);
  assert.equal(onlyConnection(web).closeReason, null);
  web.clock.advance(20);
  assert.deepEqual(
    answers(await client.all()).map(({ status }) => status),
    [503],
  );
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["response-timeout while handling"]);
});

test("a handler that answers after its 503 hurts nobody", async (t) => {
  let late: ServerResponse | undefined;
  const web = await startWeb(t, (_request, response) => void (late = response), { responseTimeout: "2s" });
  const client = await web.connect();
  client.write(get("/"));
  await until(() => late !== undefined);
  web.clock.advance("2s");
  late?.write("too ");
  late?.end("late");
  assert.deepEqual(
    answers(await client.all()).map(({ status }) => status),
    [503],
  );
  client.end();
  await until(() => web.ends().length === 1);
  late?.write("still");
  await settle();
  assert.deepEqual(web.errors, []);
});

test("a handler that throws ends its own connection with 500, and onError hears of it", async (t) => {
  const web = await startWeb(t, (request, response) => {
    if (request.url === "/bad") throw new Error("of the handler");
    response.end("ok");
  });
  const [bad, good] = await Promise.all([web.connect(), web.connect()]);
  good.write(get("/"));
  await good.gets(/ok$/);
  bad.write(get("/bad"));
  assert.equal(answers(await bad.all())[0]?.status, 500);
  good.write(get("/"));
  await good.gets(/ok[^]*ok$/);
  assert.deepEqual(
    web.errors.map(({ message }) => message),
    ["of the handler"],
  );
  bad.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["handler-error while handling"]);
});

test("a response that has begun is not cut at responseTimeout, however long it streams", async (t) => {
  let response: ServerResponse | undefined;
  const web = await startWeb(
    t,
    (_request, answer) => {
      response = answer;
      answer.write("begun,");
    },
    { responseTimeout: "2s", idleTimeout: "5s" },
  );
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/begun,/);
  for (let i = 0; i < 10; i++) await web.pass(1000);
  assert.equal(onlyConnection(web).phase, "sending");
  response?.end("ended");
  await client.gets(/ended\r\n0\r\n\r\n$/);
  await until(() => onlyConnection(web).phase === "idle");
  assert.equal(onlyConnection(web).timer.deadline, web.clock.now() + 5000);
});

test("each of several requests that came together has responseTimeout of its own, from its turn on", async (t) => {
  const responses: ServerResponse[] = [];
  const web = await startWeb(t, (_request, response) => void responses.push(response), { responseTimeout: "2s" });
  const client = await web.connect();
  client.write(get("/1") + get("/2"));
  await until(() => responses.length === 2);
  web.clock.advance(1500);
  responses[0]?.end("one");
  await client.gets(/one$/);
  await settle();
  web.clock.advance(1500);
  assert.equal(onlyConnection(web).closeReason, null);
  web.clock.advance(600);
  assert.deepEqual(
    answers(await client.all()).map(({ status }) => status),
    [200, 503],
  );
});

test("the program may move the deadline of its connection", async (t) => {
  const web = await startWeb(t, () => {}, { responseTimeout: "2s" });
  const client = await web.connect();
  client.write(get("/"));
  await until(() => web.server.connections.size === 1 && onlyConnection(web).phase === "handling");
  onlyConnection(web).resetTimeout("10s");
  web.clock.advance("9s");
  assert.equal(onlyConnection(web).closeReason, null);
  web.clock.advance("1s");
  assert.equal(answers(await client.all())[0]?.status, 503);
});

test("a client that does not read is reset at responseSendTimeout, one that reads slowly is not", async (t) => {
  const big = Buffer.alloc(32 * 2 ** 20);
  const web = await startWeb(t, (_request, response) => response.end(big), {
    responseSendTimeout: "2s",
    responseTimeout: "1s",
    minSendRate: 0,
    maxBufferedBytes: "Infinity",
  });
  const [deaf, slow] = await Promise.all([web.connect(), web.connect()]);
  for (const client of [deaf, slow]) {
    client.socket.pause();
    client.write(get("/"));
  }
  await until(() => [...web.server.connections].filter(({ phase }) => phase === "handling").length === 2);
  const slowPort = slow.socket.localPort;
  const [one, other] = web.server.connections;
  const isSlow = (connection: Connection | undefined): boolean =>
    (connection?.input as Socket | undefined)?.remotePort === slowPort;
  const [slowOne, deafOne] = isSlow(one) ? [one, other] : [other, one];
  while (deafOne?.closeReason === null) {
    const { length } = slow.received;
    slow.socket.resume();
    await until(() => slow.received.length > length + 100_000);
    slow.socket.pause();
    await web.pass(250);
  }
  assert.equal(deafOne?.closeReason, "send-timeout");
  assert.equal(slowOne?.closeReason, null);
  assert.equal(deafOne?.phase, "closed", "no waiting for a client that was reset");
  slow.socket.resume();
  await until(() => slow.received.length > big.length);
});

/** Sends without end, and looks at no answer meanwhile. */
function upload({ socket }: TcpClient): void {
  const chunk = Buffer.alloc(65_536);
  const pump = (): void => {
    while (socket.writable && socket.write(chunk));
  };
  socket.pause().on("drain", pump);
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n");
  pump();
}

test("a last answer reaches a client that is still sending its body", async (t) => {
  const web = await startWeb(t, () => {}, { responseTimeout: "2s", maxRequestBodyLength: Infinity });
  const client = await web.connect();
  upload(client);
  await until(() => web.server.connections.size === 1 && onlyConnection(web).phase === "handling");
  web.clock.advance("2s");
  await settle();
  client.socket.resume();
  assert.equal(answers(await client.all())[0]?.status, 503);
  client.socket.destroy();
});

test("a handler's own early answer with Connection: close reaches a client that is still sending", async (t) => {
  const handler: RequestListener = (_request, response) => {
    response.writeHead(413, { Connection: "close", "Content-Length": 0 });
    response.end();
  };
  const web = await startWeb(t, handler, { maxRequestBodyLength: Infinity });
  const client = await web.connect();
  upload(client);
  await until(() => web.ends().length === 1 || [...web.server.connections].some(({ phase }) => phase === "draining"));
  await settle();
  client.socket.resume();
  assert.equal(answers(await client.all())[0]?.status, 413);
  assert.equal(await client.ended, "FIN");
  client.socket.destroy();
});

test("what a refused client still sends is thrown away, and its end is seen at once", async (t) => {
  const web = await startWeb(t, () => {}, { maxRequestBodyLength: "1 MB" });
  const client = await web.connect();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n").write(Buffer.alloc(3_000_000)).end();
  assert.equal(answers(await client.all())[0]?.status, 413);
  // No time passes.
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["limit while handling"]);
});

/** Answers with the length of the body. */
const measure: RequestListener = (request, response) => {
  let length = 0;
  request.on("data", (chunk: Buffer) => (length += chunk.length));
  request.on("end", () => response.end(String(length)));
};

test("a long upload that keeps its pace is never cut, however short the timeouts", async (t) => {
  const web = await startWeb(t, measure, {
    requestReadTimeout: "2s",
    responseTimeout: "2s",
    minReceiveRate: { bytesPerSecond: 100, grace: "1s" },
  });
  const client = await web.connect();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\n");
  await until(() => web.server.connections.size === 1 && onlyConnection(web).phase === "handling");
  for (let i = 0; i < 60; i++) {
    client.write("x".repeat(100));
    await web.pass(900);
  }
  await client.gets(/6000$/);
});

test("a body that stalls is answered with 408 at its deadline, which what has come has moved", async (t) => {
  const web = await startWeb(t, measure, {
    requestReadTimeout: "2s",
    responseTimeout: "1m",
    minReceiveRate: { bytesPerSecond: 100, grace: "1h" },
  });
  const client = await web.connect();
  client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\n${"x".repeat(300)}`);
  await until(() => web.server.connections.size === 1 && onlyConnection(web).phase === "handling");
  await web.pass(4990);
  assert.equal(onlyConnection(web).closeReason, null);
  await web.pass(20);
  assert.equal(answers(await client.all())[0]?.status, 408);
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["read-timeout while handling"]);
});

test("a body that drips below minReceiveRate is answered with 408", async (t) => {
  const web = await startWeb(t, measure, { minReceiveRate: { bytesPerSecond: 100, grace: "2s" } });
  const client = await web.connect();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\n");
  await until(() => web.server.connections.size === 1 && onlyConnection(web).phase === "handling");
  for (let i = 0; i < 30 && web.server.connections.size === 1 && onlyConnection(web).closeReason === null; i++) {
    client.write("x");
    await web.pass(100);
  }
  assert.equal(answers(await client.all())[0]?.status, 408);
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["receive-rate while handling"]);
});

test("a client is not timed while the program does not take what it sends", async (t) => {
  let take = (): void => {};
  const slow: RequestListener = (request, response) => {
    take = () => measure(request, response);
  };
  const web = await startWeb(t, slow, { requestReadTimeout: "2s", responseTimeout: "1m" });
  const client = await web.connect();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
  await until(() => web.server.connections.size === 1 && onlyConnection(web).phase === "handling");
  for (let i = 0; i < 30; i++) await web.pass(1000);
  take();
  await web.pass(1000);
  client.write("cd");
  await client.gets(/4$/);
});

test("a client that ends in the middle of a request is nobody's error", async (t) => {
  const web = await startWeb(t, (request) => void request.resume().on("error", () => {}));
  for (const part of ["GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n123", ""]) {
    const count = web.ends().length;
    const client = await web.connect();
    client.write(part).end();
    await once(client.socket, "close");
    await until(() => web.ends().length > count);
    assert.match(web.ends().at(-1) ?? "", /^client-ended while/, part);
  }
  const resetting = await web.connect();
  resetting.write("GET / HT");
  await until(() => web.server.connections.size === 1 && onlyConnection(web).bytesReceived === 8);
  resetting.socket.resetAndDestroy();
  await until(() => web.ends().length === 4);
  assert.match(web.ends()[3] ?? "", /^client-reset while/);
  assert.deepEqual(web.errors, []);
});
