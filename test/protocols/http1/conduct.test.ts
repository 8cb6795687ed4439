import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { request as httpsRequest, createServer as createSecureServer } from "node:https";
import type { Duplex } from "node:stream";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect as tlsConnect } from "node:tls";
import { certificate } from "../../support/certificate.ts";
import { connectionOf, manage } from "../../../src/index.ts";
import { answers, get, settle, startWeb, until } from "./web.ts";

test("many requests on one connection, one after the other and all at once, are answered in order", async (t) => {
  const web = await startWeb(t, (request, response) => response.end(request.url));
  const client = await web.connect();
  for (let i = 0; i < 5; i++) {
    client.write(get(`/one-${i}`));
    await client.gets(new RegExp(`/one-${i}$`));
  }
  client.write(Array.from({ length: 200 }, (_, i) => get(`/all-${i}`)).join(""));
  await client.gets(/\/all-199$/);
  const bodies = answers(client.received).map(({ body }) => body);
  assert.deepEqual(bodies, [
    ...Array.from({ length: 5 }, (_, i) => `/one-${i}`),
    ...Array.from({ length: 200 }, (_, i) => `/all-${i}`),
  ]);
  assert.equal(web.server.connections.size, 1);
});

test("a client that has sent FIN gets the answers to all it asked", async (t) => {
  const waiting: ServerResponse[] = [];
  const web = await startWeb(t, (_request, response) => void waiting.push(response));
  const client = await web.connect();
  client.write(get("/1") + get("/2")).end();
  await until(() => waiting.length === 2);
  await settle();
  for (const [i, response] of waiting.entries()) response.end(`answer ${i}`);
  assert.deepEqual(
    answers(await client.all()).map(({ body }) => body),
    ["answer 0", "answer 1"],
  );
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^(completed|client-ended) while/);
});

test("a client that ends between requests is `client-ended`, one that asked for close `completed`", async (t) => {
  const web = await startWeb(t, (_request, response) => response.end("ok"));
  const leaving = await web.connect();
  leaving.write(get("/"));
  await leaving.gets(/ok$/);
  leaving.end();
  await until(() => web.ends().length === 1);
  const closing = await web.connect();
  closing.write(get("/", "Connection: close"));
  assert.match(await closing.all(), /^Connection: close\r$/m);
  closing.end();
  await until(() => web.ends().length === 2);
  const old = await web.connect();
  old.write("GET / HTTP/1.0\r\n\r\n");
  assert.match(await old.all(), /ok$/);
  old.end();
  await until(() => web.ends().length === 3);
  assert.deepEqual(
    web.ends().map((end) => end.split(" ")[0]),
    ["client-ended", "completed", "completed"],
  );
});

/** What is no HTTP, and the status that it is worth. */
const nonsense: Readonly<Record<string, readonly [sent: string, status: number]>> = {
  "another protocol": ["SSH-2.0-OpenSSH_9.2\r\n\r\n", 400],
  "a space in a header's name": ["GET / HTTP/1.1\r\nHo st: x\r\n\r\n", 400],
  "two lengths": ["POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400],
  "too long a head": [`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(200_000)}\r\n\r\n`, 431],
  "a bad chunk": ["POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n", 400],
};

for (const [name, [sent, status]] of Object.entries(nonsense)) {
  test(`${name} is answered with ${status}, and is a protocol error that nobody else hears of`, async (t) => {
    const web = await startWeb(t, (request) => void request.on("error", () => {}));
    const client = await web.connect();
    client.write(sent);
    assert.equal(answers(await client.all())[0]?.status, status);
    assert.equal(await client.ended, "FIN");
    client.end();
    await until(() => web.ends().length === 1);
    assert.match(web.ends()[0] ?? "", /^protocol-error while (reading|handling)$/);
    assert.deepEqual(web.errors, []);
  });
}

test("the program's own 'clientError' listener answers instead", async (t) => {
  const web = await startWeb(t, () => {});
  const codes: (string | undefined)[] = [];
  web.http.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    codes.push(error.code);
    socket.end("HTTP/1.1 418 I'm a Teapot\r\nContent-Length: 0\r\n\r\n");
  });
  const client = await web.connect();
  client.write("nonsense\r\n\r\n");
  assert.deepEqual(
    answers(await client.all()).map((answer) => answer.status),
    [418],
  );
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["protocol-error while idle"]);
  assert.deepEqual(codes, ["HPE_INVALID_METHOD"]);
});

test("HEAD, 204 and 304 keep the connection in step", async (t) => {
  const web = await startWeb(t, (request, response) => {
    if (request.url === "/204") response.writeHead(204);
    if (request.url === "/304") response.writeHead(304);
    response.end(request.url === "/" ? "body" : undefined);
  });
  const client = await web.connect();
  client.write(`HEAD / HTTP/1.1\r\nHost: x\r\n\r\n${get("/204")}${get("/304")}${get("/")}`);
  await client.gets(/\r\n\r\nbody$/);
  assert.deepEqual(
    client.received.match(/HTTP\/1\.1 \d+/g),
    [200, 204, 304, 200].map((status) => `HTTP/1.1 ${status}`),
  );
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  request.setEncoding("utf8");
  for await (const chunk of request) text += String(chunk);
  return text;
}

test("Expect: 100-continue is answered by node:http, or by the program's own listener", async (t) => {
  const web = await startWeb(t, async (request, response) => void response.end(await bodyOf(request)));
  const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
  const client = await web.connect();
  client.write(head);
  await client.gets(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  client.write("body");
  await client.gets(/200 OK[^]*body$/);
  web.http.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === "/no") response.writeHead(417, { "Content-Length": 0 }).end();
    else {
      response.writeContinue();
      web.http.emit("request", request, response);
    }
  });
  client.write(head);
  await client.gets(/body[^]*100 Continue\r\n\r\n$/);
  const [connection] = web.server.connections;
  assert.equal(connection?.phase, "handling");
  client.write("more");
  await client.gets(/more$/);
  await until(() => connection?.phase === "idle");
  client.write(head.replace("/", "/no"));
  await client.gets(/417 Expectation Failed\r\n[^]*\r\n\r\n$/);
});

test("chunked bodies and trailers pass in both directions", async (t) => {
  const web = await startWeb(t, async (request, response) => {
    const body = await bodyOf(request);
    response.writeHead(200, { Trailer: "X-Sum" });
    response.write(body);
    response.addTrailers({ "X-Sum": String(request.trailers["x-count"]) });
    response.end();
  });
  const client = await web.connect();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Count\r\n\r\n");
  client.write("3\r\nabc\r\n2\r\nde\r\n0\r\nX-Count: 5\r\n\r\n");
  await client.gets(/5\r\nabcde\r\n0\r\nX-Sum: 5\r\n\r\n$/);
  client.write(get("/", "Connection: close"));
  assert.match(await client.all(), /X-Sum: undefined/);
});

test("an upgraded connection is the program's: no deadline of the plan, no parser, until it ends or is cut", async (t) => {
  const web = await startWeb(t, () => {}, { requestReadTimeout: "1s", responseTimeout: "1s", idleTimeout: "1s" });
  web.http.on("upgrade", (_request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n${head.toString()}`);
    socket.on("data", (chunk: Buffer) => socket.write(chunk));
    socket.on("end", () => socket.end());
  });
  const client = await web.connect();
  client.write(`${get("/", "Connection: Upgrade", "Upgrade: echo")}early`);
  await client.gets(/\r\n\r\nearly$/);
  const [connection] = web.server.connections;
  assert.equal(connection?.phase, "upgraded");
  await web.pass(3_600_000);
  client.write("late");
  await client.gets(/earlylate$/);
  client.end();
  await once(client.socket, "close");
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["client-ended while upgraded"]);

  const other = await web.connect();
  other.write(get("/", "Connection: Upgrade", "Upgrade: echo"));
  await other.gets(/101/);
  const report = web.server.drain({ grace: "2s" });
  await web.pass(1000);
  other.write("during");
  await other.gets(/during$/);
  web.clock.advance(1000);
  assert.deepEqual(
    (await report).cut.map(({ reason, phase }) => `${reason} while ${phase}`),
    ["drain-cut while upgraded"],
  );
});

test("CONNECT hands the socket to the program too", async (t) => {
  const web = await startWeb(t, () => {});
  web.http.on("connect", (_request: IncomingMessage, socket: Duplex) => {
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    socket.pipe(socket);
  });
  const client = await web.connect();
  client.write("CONNECT there:1 HTTP/1.1\r\nHost: there:1\r\n\r\n");
  await client.gets(/Established\r\n\r\n$/);
  client.write("through");
  await client.gets(/through$/);
  assert.equal([...web.server.connections][0]?.phase, "upgraded");
});

test("HTTPS: one connection from the handshake to its end, with the same phases and answers", async (t) => {
  const { key, cert } = await certificate();
  const http = createSecureServer({ key, cert }, (request, response) => {
    if (request.url === "/never") return;
    response.end(connectionOf(request)?.phase);
  });
  const web = await startWeb(t, http, { handshakeTimeout: "2s", requestReadTimeout: "3s", responseTimeout: "4s" });
  const body = await new Promise((resolve, reject) => {
    const request = httpsRequest({ host: "127.0.0.1", port: web.port, rejectUnauthorized: false, agent: false });
    request
      .on("error", reject)
      .on("response", (response) => void bodyOf(response).then(resolve))
      .end();
  });
  assert.equal(body, "handling");
  await until(() => web.ends().length === 1);

  const secure = async (text: string, timeout: number): Promise<string> => {
    const socket = tlsConnect({ port: web.port, host: "127.0.0.1", rejectUnauthorized: false });
    t.after(() => socket.destroy());
    await once(socket, "secureConnect");
    let received = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => (received += chunk));
    const ended = once(socket, "end");
    await until(() => [...web.server.connections].some(({ phase }) => phase === "idle"));
    const connection = [...web.server.connections].find(({ phase }) => phase === "idle");
    const before = connection?.bytesReceived ?? 0;
    socket.write(text);
    await until(() => (connection?.bytesReceived ?? 0) > before);
    await settle();
    web.clock.advance(timeout);
    await ended;
    return received;
  };
  assert.equal(answers(await secure("GET / HT", 3000))[0]?.status, 408);
  assert.equal(answers(await secure(get("/never"), 4000))[0]?.status, 503);
  const mute = await web.connect();
  await until(() => [...web.server.connections].some(({ phase }) => phase === "handshaking"));
  web.clock.advance("2s");
  assert.equal(await mute.all(), "");
  mute.end();
  await until(() => web.ends().includes("handshake-timeout while handshaking"));
  assert.deepEqual(web.errors, []);
});

test("listeners that the program adds later, or wraps around ours, are heard", async (t) => {
  const web = await startWeb(t, createServer());
  web.http.on("request", (_request, response: ServerResponse) => response.end("late"));
  const seen: string[] = [];
  const { emit } = web.http;
  // As tracing tools do.
  web.http.emit = function traced(this: unknown, event: string, ...args: unknown[]) {
    if (event === "request") seen.push(event);
    return Reflect.apply(emit, this, [event, ...args]) as boolean;
  } as typeof emit;
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/late$/);
  assert.deepEqual(seen, ["request"]);
  assert.equal([...web.server.connections].length, 1);
  await until(() => [...web.server.connections][0]?.phase === "idle");
});

test("an `emit` that the program had put on the server before is still heard", async (t) => {
  const http = createServer((_request, response) => response.end("ok"));
  const seen: string[] = [];
  const { emit } = http;
  const traced = function (this: unknown, event: string, ...args: unknown[]) {
    seen.push(event);
    return Reflect.apply(emit, this, [event, ...args]) as boolean;
  } as typeof emit;
  http.emit = traced;
  const web = await startWeb(t, http);
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/ok$/);
  assert.ok(seen.includes("connection") && seen.includes("request"));
  await web.server.close();
  assert.equal(http.emit, traced, "and is the server's own again");
});

test("managing a server twice is a clear error, before and after it listens", async (t) => {
  const http = createServer();
  const managed = manage(http);
  t.after(() => managed.close());
  const twice = { code: "ERR_PORTREEVE_ARGUMENT_TYPE", path: "server" };
  assert.throws(() => manage(http), twice);
  await once(http.listen(0, "127.0.0.1"), "listening");
  assert.throws(() => manage(http), twice);
  assert.throws(() => manage([createServer(), http]), { ...twice, path: "servers[1]" });
  assert.throws(() => manage({} as never), twice);
  assert.throws(() => manage([]), { ...twice, path: "servers" });
  await managed.close();
  assert.throws(() => manage(http), twice, "it has closed");
});

test("a server is as it was before after a close, and where it could not be managed", async () => {
  const http = createServer((_request, response) => response.end("ok"));
  const { emit, headersTimeout, keepAliveTimeout } = http;
  const events = http.eventNames();
  const same = (): void => {
    assert.equal(http.emit, emit);
    assert.deepEqual(http.eventNames(), events);
    assert.equal(http.headersTimeout, headersTimeout);
    assert.equal(http.keepAliveTimeout, keepAliveTimeout);
  };
  assert.throws(() => manage(http, { safetyLimits: { maxConcurrentPerClient: 5 } }), {
    limit: "maxConcurrentPerClient",
  });
  same();
  const managed = manage(http);
  await managed.close();
  same();
  await once(http.listen(0, "127.0.0.1"), "listening");
  const { port } = http.address() as AddressInfo;
  assert.equal(await (await fetch(`http://127.0.0.1:${port}`)).text(), "ok");
  http.close();
});
