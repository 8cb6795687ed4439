import assert from "node:assert/strict";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { Agent, createServer as createHttpServer, get, request } from "node:http";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { file } from "./specimens/files.ts";
import { begin, listening } from "./support.ts";

test("a request that is cut before its answer does not crash the process", async () => {
  const { custodian, errors } = begin();
  const { server, port } = await listening(createHttpServer(() => {}));
  const client = custodian.use(request({ host: "127.0.0.1", port, agent: new Agent() }));
  client.end();
  await once(server, "request");
  const report = await custodian.shutdownAll();
  assert.deepEqual([...report.errors, ...errors], []);
  server.close();
});

test("a request that waits for a socket of its agent ends when it gets one", async () => {
  const { custodian, errors } = begin();
  const { server, port } = await listening(createHttpServer((_request, response) => response.end("done")));
  const agent = new Agent({ maxSockets: 1 });
  const first = get({ host: "127.0.0.1", port, agent }, (answer) => answer.resume());
  custodian.use(get({ host: "127.0.0.1", port, agent }));
  const shutdown = custodian.shutdownAll();
  await Promise.all([shutdown, once(first, "close")]);
  assert.deepEqual(errors, []);
  server.close();
});

test("an error that a stream emits while it is closed is an error of the shutdown, and no crash", async () => {
  const { custodian, errors } = begin();
  const failure = new Error("the disk is full");
  custodian.use(new PassThrough({ destroy: (_error, done) => setImmediate(done, failure) }));
  const report = await custodian.shutdownAll();
  assert.deepEqual(report.errors, [failure]);
  assert.deepEqual(errors, [failure]);
});

test("an error of a stream that its own listener hears is not reported as well", async () => {
  const { custodian, errors } = begin();
  const failure = new Error("the disk is full");
  const heard: Error[] = [];
  const stream = custodian.use(new PassThrough({ destroy: (_error, done) => setImmediate(done, failure) }));
  stream.on("error", (error) => heard.push(error));
  const report = await custodian.shutdownAll();
  assert.deepEqual(heard, [failure]);
  assert.deepEqual([...report.errors, ...errors], []);
});

test("a web stream that somebody reads cannot be cancelled, and that is reported", async () => {
  const { custodian } = begin();
  custodian.use(new ReadableStream()).getReader();
  const { errors } = await custodian.shutdownAll();
  assert.deepEqual(
    errors.map(({ name }) => name),
    ["TypeError"],
  );
});

test("timers of Node that have fired do not pile up", () => {
  const { custodian } = begin();
  for (let made = 0; made < 10_000; made++) {
    const timer = custodian.use(setTimeout(() => {}, 1_000_000));
    clearTimeout(timer);
  }
  assert.deepEqual(custodian.managedList(), []);
});

test("a file that is being read is closed when the read is done", async () => {
  const { custodian, errors } = begin();
  const handle = custodian.use(await open(file));
  const reading = handle.readFile();
  await custodian.shutdownAll();
  assert.equal(handle.fd, -1);
  assert.equal((await reading).length, 1_000_000);
  assert.deepEqual(errors, []);
});
