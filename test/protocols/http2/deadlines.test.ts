import assert from "node:assert/strict";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import type { ServerHttp2Stream } from "node:http2";
import { requestOf } from "../../../src/index.ts";
import { frameTypes, framesIn, goaways, preface, request, settings, settingsAck } from "../../support/http2-frames.ts";
import { connectTo } from "../../support/tcp-client.ts";
import { ask, bytesOf, kinds, settle, startWeb, until } from "./web.ts";
import type { Web } from "./web.ts";

const ok = (stream: ServerHttp2Stream): void => {
  stream.respond({ ":status": 200 });
  stream.end("ok");
};

async function connected(web: Web): Promise<void> {
  await until(() => web.managed.connections.size === 1);
  await settle();
}

for (const [name, said] of Object.entries({
  "says nothing": Buffer.alloc(0),
  "sends half a preface": preface.subarray(0, 10),
  "sends a preface and no settings": preface,
  "does not acknowledge the settings": Buffer.concat([preface, settings()]),
})) {
  test(`a client that ${name} is closed at handshakeTimeout`, async (t) => {
    const web = await startWeb(t, "h2c", ok, { limits: { handshakeTimeout: "3s" } });
    const client = await web.raw();
    client.write(said);
    await connected(web);
    web.clock.advance(2990);
    assert.equal(web.connection().phase, "handshaking");
    web.clock.advance(20);
    await client.ended;
    client.end();
    await until(() => web.ends().length === 1);
    assert.deepEqual(web.ends(), ["handshake-timeout while handshaking"]);
  });
}

test("requests do not excuse a client from acknowledging the settings", async (t) => {
  const web = await startWeb(t, "h2c", ok, { limits: { handshakeTimeout: "3s" } });
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings(), request(1)]));
  await client.gets(/ok/);
  await web.pass(3000);
  await client.ended;
  client.end();
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^handshake-timeout/);
});

test("a deadline of a stream that is shorter than the handshake's holds, and so does one that is longer", async (t) => {
  const web = await startWeb(t, "h2c", () => {}, { limits: { handshakeTimeout: "5s", responseTimeout: "3s" } });
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings(), request(1)]));
  await until(() => web.managed.connections.size === 1 && web.connection().phase === "handling");
  await web.pass(3000);
  assert.deepEqual(web.cuts(), ["response-timeout by responseTimeout while handling"]);
  client.write(Buffer.concat([settingsAck, request(3)]));
  await settle();
  await web.pass(2500);
  assert.equal(web.connection().closeReason, null, "the handshake is over");
  await web.pass(500);
  assert.equal(web.cuts().length, 2);
});

test("TLS, preface and settings have one handshakeTimeout together", async (t) => {
  const web = await startWeb(t, "h2", ok, { limits: { handshakeTimeout: "3s" } });
  const client = await connectTo(t, web.port);
  await connected(web);
  web.clock.advance(2000);
  client.socket.removeAllListeners("data");
  const secure = connectTls({ socket: client.socket, ALPNProtocols: ["h2"], rejectUnauthorized: false });
  t.after(() => secure.destroy());
  secure.on("error", () => {});
  secure.resume();
  await new Promise((resolve) => secure.once("secureConnect", resolve));
  await until(() => web.connection().input !== web.connection().raw && web.connection().raw !== null);
  assert.equal(web.connection().phase, "handshaking");
  web.clock.advance(1000);
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["handshake-timeout while handshaking"]);
});

test("a client that says nothing on a secure server is closed at handshakeTimeout", async (t) => {
  const web = await startWeb(t, "h2", ok, { limits: { handshakeTimeout: "3s" } });
  const client = await connectTo(t, web.port);
  await connected(web);
  web.clock.advance(3000);
  await client.ended;
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["handshake-timeout while handshaking"]);
});

test("an idle session is told GOAWAY(NO_ERROR) once, with the true last stream, and closed", async (t) => {
  const web = await startWeb(t, "h2c", ok, { limits: { idleTimeout: "5s" } });
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings(), settingsAck, request(1), request(3)]));
  await client.gets(/ok[^]*ok/);
  await until(() => web.connection().phase === "idle");
  await web.pass(4990);
  assert.equal(web.connection().closeReason, null);
  await web.pass(10);
  assert.equal(await client.ended, "FIN");
  assert.deepEqual(goaways(bytesOf(client)), ["last 3, code 0"]);
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["idle-timeout while idle"]);
});

for (const kind of kinds) {
  test(`${kind}: a handler that never answers: 503 on its stream, its signal aborts, and the others live`, async (t) => {
    const signals: AbortSignal[] = [];
    const web = await startWeb(
      t,
      kind,
      (stream, headers) => {
        signals.push(requestOf(stream).signal);
        if (headers[":path"] === "/more") requestOf(stream).resetTimeout("10s");
      },
      { limits: { responseTimeout: "2s" } },
    );
    const client = await web.client();
    const silent = ask(client);
    const more = ask(client, { ":path": "/more" });
    await until(() => signals.length === 2);
    web.clock.advance(1990);
    assert.deepEqual(web.cuts(), []);
    web.clock.advance(10);
    assert.deepEqual(web.cuts(), ["response-timeout by responseTimeout while handling"]);
    assert.deepEqual(await silent.answered, { status: 503, body: "", code: 0 });
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [true, false],
    );
    assert.equal(web.connection().closeReason, null);
    web.clock.advance(7990);
    assert.equal(web.cuts().length, 1);
    web.clock.advance(20);
    assert.deepEqual((await more.answered).status, 503);
    await until(() => web.connection().phase === "idle");
    assert.equal(web.connection().timer.deadline, web.clock.now() + 75_000);
  });

  test(`${kind}: a deadline that the program moves stays in force after the response has begun`, async (t) => {
    const web = await startWeb(t, kind, (stream) => {
      requestOf(stream).resetTimeout("3s");
      stream.respond({ ":status": 200 });
      stream.write("begun");
    });
    const client = await web.client();
    const asked = ask(client);
    await until(() => asked.body === "begun");
    await web.pass(3000);
    const { status, code } = await asked.answered;
    assert.deepEqual([status, code], [200, 2]);
    assert.equal(web.connection().closeReason, null);
  });

  test(`${kind}: a body that stops coming: 408 on its stream, and the others live`, async (t) => {
    const web = await startWeb(
      t,
      kind,
      (stream) => {
        stream.on("error", () => {});
        stream.resume().on("end", () => {
          if (!stream.destroyed) ok(stream);
        });
      },
      { limits: { requestReadTimeout: "2s" } },
    );
    const client = await web.client();
    const upload = ask(client, { ":method": "POST", ":path": "/" });
    upload.stream.write("x".repeat(480));
    await until(() => web.connection().phase === "handling");
    await settle();
    await web.pass(2000);
    assert.deepEqual(web.cuts(), [], "480 bytes at 240 a second are two seconds more");
    await web.pass(1990);
    assert.deepEqual(web.cuts(), []);
    await web.pass(20);
    assert.deepEqual(web.cuts(), ["read-timeout by requestReadTimeout while handling"]);
    assert.equal((await upload.answered).status, 408);
    assert.equal((await ask(client).answered).body, "ok");
    assert.equal(web.connection().closeReason, null);
  });

  test(`${kind}: a body that drips is given up, one that flows is not`, async (t) => {
    const web = await startWeb(
      t,
      kind,
      (stream) => void stream.resume().on("end", () => stream.destroyed || ok(stream)),
      {
        limits: { requestReadTimeout: "2s", responseTimeout: "60s" },
      },
    );
    const client = await web.client();
    const slow = ask(client, { ":method": "POST", ":path": "/" });
    const fast = ask(client, { ":method": "POST", ":path": "/" });
    for (let second = 0; second < 4; second++) {
      slow.stream.write("x");
      fast.stream.write("x".repeat(1000));
      await settle();
      await web.pass(1000);
    }
    assert.deepEqual(web.cuts(), ["read-timeout by requestReadTimeout while handling"]);
    assert.equal((await slow.answered).status, 408);
    fast.stream.end();
    assert.equal((await fast.answered).status, 200);
  });

  test(`${kind}: a handler that falls silent after it began has its stream reset, unless it sends events`, async (t) => {
    const web = await startWeb(
      t,
      kind,
      (stream, headers) => {
        stream.respond({
          ":status": 200,
          "content-type": headers[":path"] === "/events" ? "text/event-stream" : "text/plain",
        });
        stream.write("begun");
      },
      { limits: { responseSendTimeout: "2s" } },
    );
    const client = await web.client();
    const silent = ask(client);
    const events = ask(client, { ":path": "/events" });
    await until(() => silent.body === "begun" && events.body === "begun");
    await web.pass(2500);
    assert.deepEqual(web.cuts(), ["response-stalled by responseSendTimeout while sending"]);
    assert.equal((await silent.answered).code, 2);
    await web.pass(10_000);
    assert.equal(web.cuts().length, 1);
    assert.equal(events.stream.closed, false);
  });

  test(`${kind}: both sides of a conversation of gRPC may be silent once it has begun, and of no other`, async (t) => {
    const web = await startWeb(t, kind, (stream, headers) => {
      stream.on("error", () => {});
      stream.respond({ ":status": 200, "content-type": headers["content-type"] ?? "" });
      stream.on("data", (piece: Buffer) => stream.write(piece));
    });
    const client = await web.client();
    const [grpc, other] = ["application/grpc+proto", "text/plain"].map((type) =>
      ask(client, { ":method": "POST", ":path": "/", "content-type": type }),
    ) as [ReturnType<typeof ask>, ReturnType<typeof ask>];
    for (const { stream } of [grpc, other]) stream.write("first");
    await until(() => grpc.body === "first" && other.body === "first");
    for (let minute = 0; minute < 10; minute++) await web.pass(60_000);
    assert.deepEqual(web.cuts(), ["receive-rate by minReceiveRate while sending"]);
    assert.equal(other.stream.closed, true);
    grpc.stream.write(", second");
    await until(() => grpc.body === "first, second");
    grpc.stream.close();
  });
}

test("a head that breaks a limit is refused with its status, on its stream alone", async (t) => {
  const seen: string[] = [];
  const web = await startWeb(
    t,
    "h2c",
    (stream, headers) => {
      seen.push(headers[":path"] ?? "");
      stream.resume().on("end", () => ok(stream));
    },
    {
      limits: {
        maxRequestLineLength: 20,
        maxRequestHeaders: 5,
        maxRequestHeaderLength: 100,
        maxRequestBodyLength: 1000,
      },
    },
  );
  const client = await web.client();
  const many = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`x-${i}`, "1"]));
  const statuses = await Promise.all(
    [
      { ":path": `/${"a".repeat(20)}` },
      { ":path": "/", ...many },
      { ":path": "/", "x-long": "a".repeat(100) },
      { ":path": "/up", ":method": "POST", "content-length": 1001 },
      { ":path": "/fine" },
    ].map(async (headers) => (await ask(client, headers).answered).status),
  );
  assert.deepEqual(statuses, [414, 431, 431, 413, 200]);
  assert.deepEqual(seen, ["/fine"]);
  const counted = ask(client, { ":path": "/counted", ":method": "POST" });
  counted.stream.end("x".repeat(1001));
  assert.equal((await counted.answered).status, 413);
  const form = ask(client, { ":path": "/form", ":method": "POST", "content-type": "multipart/form-data; boundary=x" });
  form.stream.end("x".repeat(5000));
  assert.equal((await form.answered).status, 200);
  const call = ask(client, { ":path": "/grpc", ":method": "POST", "content-type": "application/grpc" });
  call.stream.end("x".repeat(5000));
  assert.equal((await call.answered).status, 200);
  assert.equal(web.connection().closeReason, null);
});

test("crumbs of a cookie count, each of them", async (t) => {
  const web = await startWeb(t, "h2c", ok, { limits: { maxRequestHeaders: 5 } });
  const client = await web.client();
  assert.equal((await ask(client, { ":path": "/", cookie: ["a=1", "b=2", "c=3"] }).answered).status, 200);
  const crumbs = Array.from({ length: 6 }, (_, i) => `c${i}=1`);
  assert.equal((await ask(client, { ":path": "/", cookie: crumbs }).answered).status, 431);
});

test("after maxRequestsPerConnection the client is told which request was the last, and answered", async (t) => {
  const web = await startWeb(t, "h2c", ok, { limits: { maxRequestsPerConnection: 2 } });
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings(), settingsAck, request(1), request(3)]));
  await client.ended;
  assert.equal(framesIn(bytesOf(client)).filter(({ type }) => type === frameTypes.headers).length, 2);
  assert.deepEqual(new Set(goaways(bytesOf(client))), new Set(["last 3, code 0"]));
  client.end();
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^limit while/);
});

test("at maxConnectionAge a session is told to go, and streams in flight are answered", async (t) => {
  let held: ServerHttp2Stream | undefined;
  const web = await startWeb(t, "h2", (stream) => (held = stream), { limits: { maxConnectionAge: "10s" } });
  const client = await web.client();
  const asked = ask(client);
  await until(() => held !== undefined);
  const told = new Promise((resolve) => client.once("goaway", resolve));
  await web.pass(11_500);
  assert.equal(await told, 0);
  if (held !== undefined) ok(held);
  assert.equal((await asked.answered).body, "ok");
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^max-age while/);
});
