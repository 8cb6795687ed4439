// grpc-js under `manage`, with its own client; all limits at their defaults, time is moved by hand.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import grpc from "@grpc/grpc-js";
import { call, chat, makeEcho } from "./grpc-client.js";
import { assertNothingLeft, startManaged, until } from "./support.js";

test("grpc-js: calls and streams of messages are answered, on one connection", async (t) => {
  const { managed, port } = await startManaged(t, "grpc");
  const echo = makeEcho(t, port);
  assert.equal(await call(echo, "say", "hello"), "hello");
  const stream = echo.chat();
  assert.equal(await chat(stream, "one"), "one");
  assert.equal(await chat(stream, "two"), "two");
  stream.end();
  await once(stream, "status");
  assert.equal(managed.connections.size, 1);
});

test("grpc-js: a stream of messages longer than maxRequestBodyLength gets through", async (t) => {
  const { port } = await startManaged(t, "grpc");
  const echo = makeEcho(t, port);
  const answered = new Promise((resolve, reject) => {
    const stream = echo.gather((error, answer) => (error === null ? resolve(answer.text) : reject(error)));
    for (let i = 0; i < 5; i++) stream.write({ text: "x".repeat(1_000_000) });
    stream.end();
  });
  assert.equal(await answered, "5000000");
});

test("grpc-js: a call that is never answered is cut off by responseTimeout, its connection goes on", async (t) => {
  const { clock, managed, port } = await startManaged(t, "grpc");
  const echo = makeEcho(t, port);
  await call(echo, "say", "hello");
  await until(() => managed.connections.countByPhase().idle === 1);
  const cut = assert.rejects(call(echo, "never", ""), { code: grpc.status.UNAVAILABLE });
  await until(() => managed.connections.countByPhase().idle === 0);
  clock.advance("59s");
  assert.equal(await call(echo, "say", "meanwhile"), "meanwhile");
  clock.advance("2s");
  await cut;
  assert.equal(await call(echo, "say", "later"), "later");
});

test("grpc-js: a connection with nothing to do is closed by idleTimeout, and the client comes again", async (t) => {
  const { clock, managed, port } = await startManaged(t, "grpc");
  const echo = makeEcho(t, port);
  await call(echo, "say", "hello");
  await until(() => managed.connections.countByPhase().idle === 1);
  const [{ closed }] = managed.connections;
  clock.advance("76s");
  assert.equal(await closed, "idle-timeout");
  assert.equal(await call(echo, "say", "again"), "again");
});

test("grpc-js: a stream of 10 minutes survives the defaults, silence included", async (t) => {
  const { clock, managed, port } = await startManaged(t, "grpc");
  const stream = makeEcho(t, port).chat();
  assert.equal(await chat(stream, "first"), "first");
  for (let minute = 1; minute <= 10; minute++) {
    clock.advance("1m");
    if (minute % 3 === 0) assert.equal(await chat(stream, `minute ${minute}`), `minute ${minute}`);
  }
  assert.equal(await chat(stream, "last"), "last");
  assert.equal(managed.connections.size, 1);
  stream.end();
  const [{ code }] = await once(stream, "status");
  assert.equal(code, grpc.status.OK);
});

test("grpc-js: a drain lets calls and streams in flight finish, and leaves nothing", async (t) => {
  const { managed, port } = await startManaged(t, "grpc");
  const [calling, streaming, idle] = [makeEcho(t, port), makeEcho(t, port), makeEcho(t, port)];
  await call(idle, "say", "hello");
  const answer = call(calling, "slow", "worth the wait");
  const stream = streaming.chat();
  assert.equal(await chat(stream, "before"), "before");
  await until(() => managed.connections.size === 3 && managed.connections.countByPhase().idle === 1);
  const drained = managed.drain();
  assert.equal(await chat(stream, "during"), "during");
  stream.end();
  const [{ code }] = await once(stream, "status");
  assert.equal(code, grpc.status.OK);
  assert.equal(await answer, "worth the wait");
  const report = await drained;
  assert.deepEqual([report.idle, report.finished, report.cut], [1, 2, []]);
  await assertNothingLeft(managed);
});

test("grpc-js: a drain cuts a stream that does not end within the grace period", async (t) => {
  const { clock, managed, port } = await startManaged(t, "grpc");
  const stream = makeEcho(t, port).chat();
  assert.equal(await chat(stream, "hello"), "hello");
  const failed = once(stream, "error");
  const drained = managed.drain({ grace: "5s" });
  clock.advance("5100ms");
  await assert.rejects(
    failed.then(([error]) => Promise.reject(error)),
    { code: grpc.status.UNAVAILABLE },
  );
  assert.deepEqual(
    (await drained).cut.map(({ reason }) => reason),
    ["drain-cut"],
  );
  await assertNothingLeft(managed);
});
