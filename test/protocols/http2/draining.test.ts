import assert from "node:assert/strict";
import { get as getHttp1 } from "node:https";
import { createSecureServer, createServer } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { manage } from "../../../src/manage/manage.ts";
import { certificate } from "../../support/certificate.ts";
import { goaways, preface, request, settings, settingsAck } from "../../support/http2-frames.ts";
import { connectTo } from "../../support/tcp-client.ts";
import { ask, bytesOf, kinds, settle, startWeb, until } from "./web.ts";

const ok = (stream: ServerHttp2Stream): void => {
  stream.respond({ ":status": 200 });
  stream.end("ok");
};

for (const kind of kinds) {
  test(`${kind}: a drain ends idle sessions at once and lets streams in flight finish`, async (t) => {
    const held: ServerHttp2Stream[] = [];
    const web = await startWeb(t, kind, (stream) => held.push(stream));
    const idle = await web.client();
    const idleEnds = new Promise((resolve) => idle.once("close", resolve));
    const busy = await web.client();
    const asked = [ask(busy), ask(busy)];
    await until(() => held.length === 2);
    const drained = web.managed.drain({ grace: "10s" });
    await idleEnds;
    await until(() => web.managed.connections.size === 1);
    for (const stream of held) ok(stream);
    for (const { answered } of asked) assert.deepEqual(await answered, { status: 200, body: "ok", code: 0 });
    const { idle: idles, finished, cut } = await drained;
    assert.deepEqual([idles, finished, cut.length], [1, 1, 0]);
    assert.deepEqual(web.ends(), ["drained while idle", "drained while sending"]);
  });

  test(`${kind}: a stream that outlasts the grace period is cut, and the report says in which phase`, async (t) => {
    const held: ServerHttp2Stream[] = [];
    const web = await startWeb(t, kind, (stream) => {
      held.push(stream);
      if (held.length === 2) {
        stream.respond({ ":status": 200 });
        stream.write("half");
      }
    });
    const client = await web.client();
    const silent = ask(client);
    const half = ask(client);
    await until(() => half.body === "half");
    const drained = web.managed.drain({ grace: "5s" });
    await web.pass(5000);
    const { cut } = await drained;
    assert.deepEqual(
      cut.map(({ reason, phase }) => [reason, phase]),
      [["drain-cut", "handling"]],
    );
    assert.equal((await silent.answered).status, 503);
    assert.notEqual((await half.answered).code, 0, "half a response does not look whole");
  });
}

test("of a session that drains, a stream that its deadline cuts is in the report, though the others finish", async (t) => {
  const held: ServerHttp2Stream[] = [];
  const web = await startWeb(t, "h2c", (stream) => held.push(stream), { limits: { responseTimeout: "5s" } });
  const client = await web.client();
  const never = ask(client);
  await until(() => held.length === 1);
  await web.pass(3000);
  const later = ask(client);
  await until(() => held.length === 2);
  const drained = web.managed.drain({ grace: "1m" });
  await web.pass(2000);
  assert.equal((await never.answered).status, 503);
  const [, last] = held;
  if (last !== undefined) ok(last);
  assert.equal((await later.answered).status, 200);
  const { finished, cut } = await drained;
  assert.deepEqual(
    [finished, cut.map(({ reason, phase }) => [reason, phase])],
    [0, [["response-timeout", "handling"]]],
  );
});

test("of a stream that was cut before the drain, its report says nothing", async (t) => {
  const held: ServerHttp2Stream[] = [];
  const web = await startWeb(t, "h2c", (stream) => held.push(stream), { limits: { responseTimeout: "5s" } });
  const client = await web.client();
  const before = ask(client);
  await until(() => held.length === 1);
  await web.pass(5000);
  assert.equal((await before.answered).status, 503);
  const later = ask(client);
  await until(() => held.length === 2);
  const drained = web.managed.drain({ grace: "1m" });
  const [, last] = held;
  if (last !== undefined) ok(last);
  assert.equal((await later.answered).status, 200);
  const { finished, cut } = await drained;
  assert.deepEqual([finished, cut.length], [1, 0]);
});

test("a drain tells the true last stream, and serves nobody after it", async (t) => {
  const held: ServerHttp2Stream[] = [];
  const web = await startWeb(t, "h2c", (stream) => held.push(stream));
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings(), settingsAck, request(1), request(3)]));
  await until(() => held.length === 2);
  const drained = web.managed.drain({ grace: "10s" });
  await until(() => goaways(bytesOf(client)).length > 0);
  client.write(request(5));
  await settle();
  assert.equal(held.length, 2);
  for (const stream of held) ok(stream);
  await client.gets(/ok[^]*ok/);
  client.end();
  assert.equal((await drained).finished, 1);
  assert.deepEqual(new Set(goaways(bytesOf(client))), new Set(["last 3, code 0"]));
});

test("a drain ends half-open handshakes at once", async (t) => {
  const web = await startWeb(t, "h2c", ok);
  const clients = [await web.raw(), await web.raw(), await web.raw()];
  clients[1]?.write(preface.subarray(0, 5));
  clients[2]?.write(Buffer.concat([preface, settings()]));
  await until(() => web.managed.connections.size === 3);
  await settle();
  const drained = web.managed.drain({ grace: "10s" });
  for (const client of clients) {
    await client.ended;
    client.end();
  }
  const { idle, cut } = await drained;
  assert.deepEqual([idle, cut.length], [3, 0]);
});

test("a download that is on its way when a drain begins arrives whole", async (t) => {
  const web = await startWeb(t, "h2", (stream) => {
    stream.respond({ ":status": 200 });
    stream.end(Buffer.alloc(10_000_000));
  });
  const client = await web.client();
  const asked = ask(client);
  await until(() => asked.body.length > 0);
  const drained = web.managed.drain({ grace: "10s" });
  assert.equal((await asked.answered).body.length, 10_000_000);
  assert.deepEqual((await drained).cut, []);
});

test("close ends everything now", async (t) => {
  const held: ServerHttp2Stream[] = [];
  const web = await startWeb(t, "h2c", (stream) => held.push(stream));
  const client = await web.client();
  const asked = ask(client);
  await until(() => held.length === 1);
  await web.managed.close();
  assert.equal((await asked.answered).status, 503);
  assert.deepEqual(web.ends(), ["server-closed while handling"]);
});

test("a client that may not be served is told GOAWAY(NO_ERROR), and no stream was", async (t) => {
  const web = await startWeb(t, "h2c", ok, { limits: { maxConcurrent: 1, maxWaiting: 0 } });
  await web.client();
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings(), request(1)]));
  await client.ended;
  assert.deepEqual(goaways(bytesOf(client)), ["last 0, code 0"]);
});

test("a client that may not be served over TLS is reset before its handshake", async (t) => {
  const web = await startWeb(t, "h2", ok, { limits: { maxConcurrent: 1, maxWaiting: 0 } });
  await web.client();
  const outcome = connectTo(t, web.port).then(
    ({ ended }) => ended,
    ({ code }: NodeJS.ErrnoException) => code,
  );
  assert.equal(await outcome, "ECONNRESET");
});

test("a client that negotiates HTTP/1.1 is served it, with its limits", async (t) => {
  const server = createSecureServer({ ...(await certificate()), allowHTTP1: true }, (request_, response) => {
    if (request_.url !== "/silent") response.end(request_.httpVersion);
  });
  const web = await startWeb(t, "h2", () => {}, {
    server,
    limits: { responseTimeout: "3s", maxRequestLineLength: 30 },
  });
  const answer = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const url = `https://127.0.0.1:${web.port}${path}`;
      getHttp1(url, { rejectUnauthorized: false, agent: false }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => (body += text));
        response.on("end", () => resolve(`${response.statusCode} ${body}`));
      }).on("error", reject);
    });
  assert.equal(await answer("/"), "200 1.1");
  assert.equal(await answer(`/${"a".repeat(30)}`), "414 ");
  const silent = answer("/silent");
  await until(() => [...web.managed.connections].some(({ phase }) => phase === "handling"));
  await web.pass(3000);
  assert.equal(await silent, "503 ");
  const client = await web.client();
  assert.equal((await ask(client).answered).body, "2.0");
});

test("half a head of HTTP/1.1 on a server of HTTP/2 is given up, on every Node", async (t) => {
  const server = createSecureServer({ ...(await certificate()), allowHTTP1: true }, (_request, response) =>
    response.end(),
  );
  const web = await startWeb(t, "h2", () => {}, { server, limits: { requestReadTimeout: "3s" } });
  const client = connectTls({
    port: web.port,
    host: "127.0.0.1",
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: false,
  });
  t.after(() => client.destroy());
  client.on("error", () => {});
  let received = "";
  client.setEncoding("latin1").on("data", (text: string) => (received += text));
  client.write("GET / HT");
  await until(() => web.managed.connections.size === 1 && web.connection().phase === "idle");
  await until(() => (web.connection().input as Socket).bytesRead > 0);
  await web.pass(3500);
  await until(() => received !== "");
  assert.match(received, /^HTTP\/1.1 408 /);
});

test("detach gives server, session and streams back as they were", async (t) => {
  const server = createServer();
  const before = Reflect.ownKeys(server);
  let held: ServerHttp2Stream | undefined;
  const web = await startWeb(t, "h2c", (stream) => (held ??= stream), { server });
  const client = await web.client();
  const asked = ask(client);
  await until(() => held !== undefined);
  const stream = held as ServerHttp2Stream;
  const { session } = stream;
  web.managed.detach();
  for (const [object, names] of [
    [server, ["emit"]],
    [session, ["emit", "destroy", "goaway"]],
    [stream, ["_destroy", "close", "respond", "pushStream"]],
  ] as const) {
    for (const name of names) assert.equal(Object.hasOwn(object as object, name), false, name);
  }
  assert.ok(before.every((key) => key in server));
  assert.equal(stream.listenerCount("error"), 0);
  ok(stream);
  assert.equal((await asked.answered).body, "ok");
  // Its own settings, too.
  client.destroy();
  const again = manage(server, { safetyLimits: { maxConcurrentStreams: 5 } });
  again.detach();
  assert.ok((server.address() as AddressInfo).port > 0);
});
