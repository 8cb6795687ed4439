import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import type { DrainReport } from "../../../src/index.ts";
import { answers, get, settle, startWeb, until } from "./web.ts";

function counts({ idle, finished, cut }: DrainReport): { idle: number; finished: number; cut: string[] } {
  return { idle, finished, cut: cut.map(({ reason, phase }) => `${reason} while ${phase}`) };
}

test("a drain ends idle and silent connections at once, and lets the request in flight finish with Connection: close", async (t) => {
  const waiting: ServerResponse[] = [];
  const web = await startWeb(t, (request, response) => {
    if (request.url === "/wait") waiting.push(response);
    else response.end("ok");
  });
  const [idle, silent, busy] = await Promise.all([web.connect(), web.connect(), web.connect()]);
  idle.write(get("/"));
  busy.write(get("/wait"));
  await idle.gets(/ok$/);
  await until(() => waiting.length === 1 && web.server.connections.size === 3);
  await settle();
  const drained = web.server.drain();
  assert.equal(await idle.ended, "FIN");
  assert.equal(await silent.ended, "FIN");
  idle.end();
  silent.end();
  waiting[0]?.end("whole");
  const [answer] = answers(await busy.all());
  assert.equal(answer?.body, "whole");
  assert.match(answer?.head ?? "", /^Connection: close\r$/m);
  busy.end();
  assert.deepEqual(counts(await drained), { idle: 2, finished: 1, cut: [] });
});

test("all of several pipelined requests in flight are answered in a drain; only the last says close", async (t) => {
  const waiting: ServerResponse[] = [];
  const web = await startWeb(t, (_request, response) => void waiting.push(response));
  const client = await web.connect();
  client.write(get("/1") + get("/2") + get("/3"));
  await until(() => waiting.length === 3);
  const drained = web.server.drain();
  for (const [i, response] of waiting.entries()) {
    response.end(`answer ${i}`);
    await settle();
  }
  const got = answers(await client.all());
  assert.deepEqual(
    got.map(({ body }) => body),
    ["answer 0", "answer 1", "answer 2"],
  );
  assert.deepEqual(
    got.map(({ head }) => /^Connection: close\r$/m.test(head)),
    [false, false, true],
  );
  client.end();
  assert.deepEqual(counts(await drained), { idle: 0, finished: 1, cut: [] });
});

test("a request that arrives behind one in flight while draining is answered too, where nothing was promised yet", async (t) => {
  const waiting: ServerResponse[] = [];
  const web = await startWeb(t, (_request, response) => void waiting.push(response));
  const client = await web.connect();
  client.write(get("/1"));
  await until(() => waiting.length === 1);
  const drained = web.server.drain();
  client.write(get("/2"));
  await until(() => waiting.length === 2);
  for (const [i, response] of waiting.entries()) response.end(`answer ${i}`);
  const got = answers(await client.all());
  assert.deepEqual(
    got.map(({ body, head }) => [body, /^Connection: close\r$/m.test(head)]),
    [
      ["answer 0", false],
      ["answer 1", true],
    ],
  );
  client.end();
  assert.deepEqual(counts(await drained), { idle: 0, finished: 1, cut: [] });
});

test("a response that the handler closes by itself stays closed in a drain", async (t) => {
  const waiting: ServerResponse[] = [];
  const web = await startWeb(t, (_request, response) => {
    response.shouldKeepAlive = false;
    waiting.push(response);
  });
  const client = await web.connect();
  client.write(get("/1"));
  await until(() => waiting.length === 1);
  const drained = web.server.drain();
  waiting[0]?.end("bye");
  assert.match(await client.all(), /^Connection: close\r$/m);
  client.end();
  assert.equal((await drained).finished, 1);
});

test("a response whose head had promised keep-alive is finished in a drain, and then the connection ends", async (t) => {
  let response: ServerResponse | undefined;
  const web = await startWeb(t, (_request, answer) => {
    response = answer;
    answer.writeHead(200, { "Content-Length": 3_000_005, Connection: "keep-alive" });
    answer.write("begun");
  });
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/begun$/);
  const drained = web.server.drain();
  response?.end("x".repeat(3_000_000));
  assert.equal(answers(await client.all())[0]?.body.length, 3_000_005);
  client.end();
  assert.deepEqual(counts(await drained), { idle: 0, finished: 1, cut: [] });
});

test("an answer that is written but not yet taken when a drain begins reaches its client whole", async (t) => {
  const size = 32 * 2 ** 20;
  const web = await startWeb(t, (_request, response) => response.end(Buffer.alloc(size)));
  const client = await web.connect();
  client.socket.pause();
  client.write(get("/"));
  await until(() => [...web.server.connections].some(({ phase }) => phase === "handling"));
  const drained = web.server.drain();
  await web.pass(3000);
  client.socket.resume();
  assert.equal(answers(await client.all())[0]?.body.length, size);
  client.end();
  assert.deepEqual(counts(await drained), { idle: 0, finished: 1, cut: [] });
});

test("half a head in a drain: completed it is answered with close, left alone it is answered with 408 after a short chance", async (t) => {
  const web = await startWeb(t, (_request, response) => response.end("ok"));
  const [honest, stalled] = await Promise.all([web.connect(), web.connect()]);
  honest.write("GET / HTTP/1.1\r\nHo");
  stalled.write("GET / HTTP/1.1\r\nHo");
  await until(() => [...web.server.connections].filter(({ bytesReceived }) => bytesReceived === 18).length === 2);
  const drained = web.server.drain();
  honest.write("st: x\r\n\r\n");
  assert.match(await honest.all(), /^Connection: close\r$/m);
  honest.end();
  web.clock.advance("1s");
  assert.equal(answers(await stalled.all())[0]?.status, 408);
  stalled.end();
  assert.deepEqual(counts(await drained), { idle: 0, finished: 1, cut: ["read-timeout while reading"] });
});

test("a drain ends at the grace period whatever handlers and clients do, and says who was cut", async (t) => {
  const web = await startWeb(t, (request, response) => {
    if (request.url === "/begun") response.write("begun");
    if (request.url === "/big") response.end(Buffer.alloc(32 * 2 ** 20));
  });
  const [never, begun, deaf, upload] = await Promise.all([web.connect(), web.connect(), web.connect(), web.connect()]);
  never.write(get("/never"));
  begun.write(get("/begun"));
  deaf.socket.pause();
  deaf.write(get("/big"));
  upload.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
  await until(
    () => web.server.connections.size === 4 && [...web.server.connections].every(({ phase }) => phase === "handling"),
  );
  const drained = web.server.drain({ grace: "2s" });
  await web.pass(1990);
  assert.deepEqual(web.ends(), []);
  web.clock.advance(10);
  const report = await drained;
  assert.equal(report.duration, 2000);
  assert.equal(report.cut.length, 4);
  assert.ok(report.cut.every(({ reason }) => reason === "drain-cut"));
  assert.equal(answers(await never.all())[0]?.status, 503);
});

test("responseTimeout stays in force while a drain waits for ever", async (t) => {
  const web = await startWeb(t, () => {}, { responseTimeout: "3s" });
  const client = await web.connect();
  client.write(get("/"));
  await until(() => [...web.server.connections].some(({ phase }) => phase === "handling"));
  const drained = web.server.drain({ grace: "Infinity" });
  web.clock.advance("3s");
  assert.equal(answers(await client.all())[0]?.status, 503);
  client.end();
  assert.deepEqual(counts(await drained), { idle: 0, finished: 0, cut: ["response-timeout while handling"] });
});

test("one who waits for a permit is refused with 503 when the drain begins", async (t) => {
  const web = await startWeb(t, (_request, response) => response.end("ok"), { maxConcurrent: 1 });
  const first = await web.connect();
  first.write(get("/"));
  await first.gets(/ok$/);
  const second = await web.connect();
  second.write(get("/"));
  await until(() => web.server.waiting === 1);
  const drained = web.server.drain();
  const [answer] = answers(await second.all());
  assert.equal(answer?.status, 503);
  assert.match(answer?.head ?? "", /^Retry-After: 1\r$/m);
  first.end();
  assert.equal((await drained).refused, 1);
});

test("close() during a drain cuts at once", async (t) => {
  const web = await startWeb(t, () => {});
  const client = await web.connect();
  client.write(get("/"));
  await until(() => [...web.server.connections].some(({ phase }) => phase === "handling"));
  const drained = web.server.drain({ grace: "Infinity" });
  await web.server.close();
  assert.deepEqual(counts(await drained), { idle: 0, finished: 0, cut: ["server-closed while handling"] });
  await client.ended;
});
