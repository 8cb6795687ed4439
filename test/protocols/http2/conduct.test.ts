import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { connectionOf, custodianOf, requestOf } from "../../../src/index.ts";
import { goaways, preface, request, settings, settingsAck } from "../../support/http2-frames.ts";
import { ask, bytesOf, kinds, settle, startWeb, until } from "./web.ts";

const ok = (stream: ServerHttp2Stream): void => {
  stream.respond({ ":status": 200 });
  stream.end("ok");
};

for (const kind of kinds) {
  test(`${kind}: a session is one connection, idle between streams and handling while there are some`, async (t) => {
    let given: ServerHttp2Stream | undefined;
    const web = await startWeb(t, kind, (stream) => (given = stream));
    const client = await web.client();
    const connection = web.connection();
    assert.deepEqual([connection.phase, connection.timer.deadline], ["idle", 75_000]);
    const first = ask(client);
    await until(() => given !== undefined);
    assert.deepEqual([connection.phase, connection.timer.deadline], ["handling", 60_000]);
    assert.equal(web.managed.connections.size, 1, "TCP, TLS and HTTP/2 are one connection");
    if (given !== undefined) ok(given);
    assert.deepEqual(await first.answered, { status: 200, body: "ok", code: 0 });
    await until(() => connection.phase === "idle");
    web.clock.advance(75_000);
    await until(() => web.ends().length === 1);
    assert.deepEqual(web.ends(), ["idle-timeout while idle"]);
  });

  test(`${kind}: a stream of which the program tells its session once more is one`, async (t) => {
    const web = await startWeb(t, kind, (stream) => {
      if (!stream.headersSent) ok(stream);
    });
    const client = await web.client();
    const connection = web.connection();
    const told = ask(client);
    web.server.once("stream", (stream: ServerHttp2Stream, headers: unknown, flags: number, raw: string[]) => {
      (stream.session as ServerHttp2Session).emit("stream", stream, headers as never, flags, raw as never);
    });
    assert.deepEqual(await told.answered, { status: 200, body: "ok", code: 0 });
    await until(() => connection.phase === "idle");
    await web.pass(75_000);
    await until(() => web.ends().length === 1);
    assert.deepEqual(web.ends(), ["idle-timeout while idle"]);
  });

  test(`${kind}: session, stream, request and response lead to their connection and request`, async (t) => {
    const found: unknown[] = [];
    const web = await startWeb(t, kind, (stream) => {
      found.push(connectionOf(stream), connectionOf(stream.session));
      found.push(connectionOf((stream.session as ServerHttp2Session).socket));
    });
    web.server.on("request", (req, res) => {
      found.push(connectionOf(req), connectionOf(res), connectionOf(req.socket));
      assert.equal(requestOf(req), requestOf(res));
      assert.equal(requestOf(req), requestOf(req.stream));
      assert.equal(custodianOf(req), requestOf(res).custodian);
      assert.notEqual(custodianOf(req), custodianOf(req.stream.session));
      res.end("ok");
    });
    const client = await web.client();
    assert.equal((await ask(client).answered).body, "ok");
    assert.equal(found.length, 6);
    for (const one of found) assert.equal(one, web.connection());
  });

  test(`${kind}: a program that writes a stream as JSON, as loggers do, does not write all of its manager`, async (t) => {
    let written = "";
    const web = await startWeb(t, kind, (stream) => {
      const seen = new Set<unknown>();
      const once = (_: string, value: unknown): unknown => {
        if (typeof value !== "object" || value === null) return typeof value === "bigint" ? String(value) : value;
        return seen.has(value) ? undefined : seen.add(value) && value;
      };
      written = JSON.stringify([stream, stream.session], once);
      ok(stream);
    });
    await ask(await web.client()).answered;
    assert.match(written, /allowHalfOpen/);
    assert.doesNotMatch(written, /safetyLimits|maxControlFrames/);
  });

  test(`${kind}: what a request owns ends with its stream, also when the client resets it`, async (t) => {
    const ended: string[] = [];
    const web = await startWeb(t, kind, (stream, headers) => {
      const name = headers[":path"] ?? "";
      custodianOf(stream).defer(() => ended.push(name));
      if (name === "/short") ok(stream);
    });
    const client = await web.client();
    const long = ask(client, { ":path": "/long" });
    await ask(client, { ":path": "/short" }).answered;
    await until(() => ended.length === 1);
    long.stream.close(8);
    await until(() => ended.length === 2);
    assert.deepEqual(ended, ["/short", "/long"]);
    assert.equal(web.connection().closeReason, null);
  });
}

test("a client that sends everything at once is served", async (t) => {
  const web = await startWeb(t, "h2c", ok);
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings(), settingsAck, request(1)]));
  await client.gets(/ok/);
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(goaways(bytesOf(client)), []);
  assert.equal(web.ends().length, 1);
  await settle();
});
