// The HTTP frameworks under `manage`, each with its own defaults, all limits at theirs; time is moved by hand.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { answerOf, assertNothingLeft, makeClient, startManaged, until, untilPhase } from "./support.js";

/** Where a framework asks node:http for something stricter than our default, that is kept. */
const idleSeconds = { fastify: 72 };
const plain = { "Content-Type": "text/plain" };

for (const framework of ["express", "fastify", "koa", "hono", "nest"]) {
  test(`${framework}: requests are answered on one connection that stays`, async (t) => {
    const { managed, port } = await startManaged(t, framework);
    const client = makeClient(t, port);
    assert.equal((await client.ask("/")).body, "hello\n");
    assert.equal((await client.ask("/messages", { body: "x".repeat(500_000), headers: plain })).body, "500000\n");
    assert.equal((await client.ask("/nothing")).status, 404);
    const last = await client.ask("/");
    assert.deepEqual([last.status, last.headers.connection], [200, "keep-alive"]);
    assert.equal(managed.connections.size, 1);
  });

  test(`${framework}: a handler that never answers is cut off with 503 by responseTimeout`, async (t) => {
    const { clock, managed, port } = await startManaged(t, framework);
    const answer = makeClient(t, port).ask("/never");
    const { closed } = await untilPhase(managed, "handling");
    clock.advance("59s");
    assert.equal(managed.connections.countByPhase().handling, 1);
    clock.advance("2s");
    const { status, headers } = await answer;
    assert.deepEqual([status, headers.connection], [503, "close"]);
    assert.equal(await closed, "response-timeout");
  });

  test(`${framework}: a body over maxRequestBodyLength is refused with 413`, async (t) => {
    const { managed, port } = await startManaged(t, framework);
    const { status, headers } = await makeClient(t, port).ask("/messages", {
      body: "x".repeat(2 ** 21),
      headers: plain,
    });
    assert.deepEqual([status, headers.connection, headers["content-length"]], [413, "close", "0"]);
    await until(() => managed.connections.size === 0);
  });

  test(`${framework}: a chunked body is refused with 413 once it is longer than maxRequestBodyLength`, async (t) => {
    const { managed, port } = await startManaged(t, framework);
    const request = makeClient(t, port).open("/messages", { method: "POST", headers: plain });
    request.on("error", () => {});
    request.write("x".repeat(2 ** 19));
    await untilPhase(managed, "handling");
    request.end("x".repeat(2 ** 20));
    assert.equal((await answerOf(request)).status, 413);
  });

  test(`${framework}: a connection with nothing to do is closed by idleTimeout`, async (t) => {
    const { clock, managed, port } = await startManaged(t, framework);
    await makeClient(t, port).ask("/");
    const { closed } = await untilPhase(managed, "idle");
    clock.advance(((idleSeconds[framework] ?? 75) - 1) * 1000);
    assert.equal(managed.connections.countByPhase().idle, 1);
    clock.advance("2s");
    assert.equal(await closed, "idle-timeout");
  });

  test(`${framework}: a drain lets work in flight finish, says Connection: close, and leaves nothing`, async (t) => {
    const { managed, port } = await startManaged(t, framework);
    await makeClient(t, port).ask("/");
    await untilPhase(managed, "idle");
    const answer = makeClient(t, port).ask("/slow");
    await untilPhase(managed, "handling");
    const report = await managed.drain();
    const { status, headers, body } = await answer;
    assert.deepEqual([status, headers.connection, body], [200, "close", "slow\n"]);
    assert.deepEqual([report.idle, report.finished, report.cut], [1, 1, []]);
    await assertNothingLeft(managed);
  });

  test(`${framework}: a drain cuts what has not finished within its grace period, and says so`, async (t) => {
    const { clock, managed, port } = await startManaged(t, framework);
    const request = makeClient(t, port).open("/events").end();
    const [events] = await once(request, "response");
    await untilPhase(managed, "handling");
    const never = makeClient(t, port).ask("/never");
    await until(() => managed.connections.countByPhase().handling === 2);
    const drained = managed.drain({ grace: "5s" });
    clock.advance("4s");
    assert.equal(managed.connections.size, 2);
    clock.advance("1100ms");
    assert.equal((await never).status, 503);
    await assert.rejects(events.toArray(), { code: "ECONNRESET" });
    const { finished, cut } = await drained;
    assert.equal(finished, 0);
    assert.deepEqual(cut.map(({ reason, phase }) => `${reason} ${phase}`).sort(), [
      "drain-cut handling",
      "drain-cut sending",
    ]);
    await assertNothingLeft(managed);
  });

  test(`${framework}: a multipart upload of 20 MB that takes 100 s gets through`, async (t) => {
    const { clock, managed, port } = await startManaged(t, framework);
    const headers = { "Content-Type": "multipart/form-data; boundary=cut" };
    const request = makeClient(t, port).open("/upload", { method: "POST", headers });
    const part = 'Content-Disposition: form-data; name="file"; filename="big"\r\nContent-Type: image/png\r\n\r\n';
    request.write(`--cut\r\n${part}`);
    const connection = await untilPhase(managed, "handling");
    const megabyte = Buffer.alloc(1e6);
    for (let sent = 1; sent <= 20; sent++) {
      request.write(megabyte);
      await until(() => connection.bytesReceived > sent * 1e6);
      clock.advance("5s");
    }
    request.end("\r\n--cut--\r\n");
    assert.equal((await answerOf(request)).body, "20000000\n");
  });

  test(`${framework}: a long poll of 50 s is answered`, async (t) => {
    const { clock, managed, port } = await startManaged(t, framework);
    const answer = makeClient(t, port).ask("/poll");
    await untilPhase(managed, "handling");
    clock.advance("50s");
    await makeClient(t, port).ask("/messages", { body: "news", headers: plain });
    assert.equal((await answer).body, "news");
  });

  test(`${framework}: an event stream that is silent for 90 s goes on`, async (t) => {
    const { clock, managed, port } = await startManaged(t, framework);
    const request = makeClient(t, port).open("/events").end();
    const [events] = await once(request, "response");
    events.setEncoding("utf8");
    await untilPhase(managed, "handling");
    for (const message of ["first", "second"]) {
      clock.advance("90s");
      await makeClient(t, port).ask("/messages", { body: message, headers: plain });
      let received = "";
      for await (const piece of events.iterator({ destroyOnReturn: false })) {
        received += piece;
        if (received.includes(`data: ${message}\n\n`)) break;
      }
    }
    request.destroy();
    await until(() => managed.connections.size === 2);
  });
}
