import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http2";
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import { test } from "node:test";
import fc from "fast-check";
import { requestOf } from "../../../src/index.ts";
import {
  data,
  frame,
  frameTypes,
  goaways,
  preface,
  request,
  reset,
  settings,
  settingsAck,
  windowUpdate,
} from "../../support/http2-frames.ts";
import { ask, bytesOf, settle, startWeb, until } from "./web.ts";

/** A handler of streams that does nothing special: no listener for errors, no look at whether the client is still there. */
const plain = (stream: ServerHttp2Stream): void => {
  stream.on("data", () => {});
  stream.on("end", () => {
    stream.respond({ ":status": 200 });
    stream.write("first");
    setImmediate(() => stream.end("last"));
  });
};

/** The same with requests and responses. */
const compat = (request_: Http2ServerRequest, response: Http2ServerResponse): void => {
  request_.on("data", () => {});
  request_.on("end", () => {
    response.writeHead(200);
    response.write("first");
    setImmediate(() => response.end("last"));
  });
};

const begun = Buffer.concat([preface, settings(), settingsAck]);
const post = request(1, { method: "POST", end: false });

const misdeeds: Record<string, Buffer> = {
  "resets with an error": Buffer.concat([post, data(1, "x"), reset(1, 2)]),
  "resets with no error": Buffer.concat([post, data(1, "x"), reset(1, 0)]),
  cancels: Buffer.concat([post, data(1, "x"), reset(1, 8)]),
  "cancels at once": Buffer.concat([request(1), reset(1, 8)]),
  "resets what it never began": reset(7, 8),
  "sends data on stream 0": data(0, "x"),
  "sends data on no stream": data(9, "x"),
  "opens streams downwards": Buffer.concat([request(5), request(3)]),
  "updates a window by 0": Buffer.concat([post, windowUpdate(1, 0)]),
  "updates the window of the session by 0": windowUpdate(0, 0),
  "makes a window too large": Buffer.concat([post, windowUpdate(1, 0x7fffffff), windowUpdate(1, 0x7fffffff)]),
  "sends a frame that is too large": frame(frameTypes.data, { stream: 1, payload: Buffer.alloc(20_000) }),
  "sends settings of a strange length": frame(frameTypes.settings, { payload: Buffer.alloc(5) }),
  "sends a head that is no HPACK": frame(frameTypes.headers, { flags: 5, stream: 1, payload: Buffer.alloc(20, 0xff) }),
  "sends no path": frame(frameTypes.headers, { flags: 5, stream: 1, payload: Buffer.of(0x82) }),
  "begins a head and goes on with something else": Buffer.concat([
    frame(frameTypes.headers, { flags: 1, stream: 1, payload: Buffer.of(0x82) }),
    data(1, "x"),
  ]),
  "pushes a promise": frame(frameTypes.push, { stream: 1, payload: Buffer.alloc(4) }),
  "leaves with an error": Buffer.concat([
    post,
    frame(frameTypes.goaway, { payload: Buffer.from("0000000000000002", "hex") }),
  ]),
  leaves: Buffer.concat([post, frame(frameTypes.goaway, { payload: Buffer.alloc(8) })]),
  "speaks HTTP/1.1": Buffer.from("GET / HTTP/1.1\r\n\r\n"),
  "sends trailers twice": Buffer.concat([post, request(1), request(1)]),
};

for (const [name, bytes] of Object.entries(misdeeds)) {
  for (const [style, listen] of [
    ["streams", (server: ReturnType<typeof createServer>) => void server.on("stream", plain)],
    ["requests", (server: ReturnType<typeof createServer>) => void server.on("request", compat)],
  ] as const) {
    test(`a client that ${name} harms nobody but itself, with a handler of ${style}`, async (t) => {
      const server = createServer();
      const web = await startWeb(t, "h2c", () => {}, { server });
      listen(server);
      const client = await web.raw();
      client.write(begun).write(bytes);
      await until(() => web.managed.connections.size === 1 || web.ends().length === 1);
      await web.pass(250);
      client.socket.resetAndDestroy();
      while (web.ends().length === 0) await web.pass(250);
      assert.doesNotMatch(web.ends()[0] ?? "", /internal-error/);
      assert.deepEqual(web.errors, []);
      assert.equal((await ask(await web.client()).answered).body, "firstlast");
    });
  }
}

test("whatever bytes come after the preface, the server goes on serving", async (t) => {
  const server = createServer();
  const web = await startWeb(t, "h2c", plain, { server });
  const client = await web.client();
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc
      .record({
        type: fc.nat(12),
        flags: fc.nat(255),
        stream: fc.nat(9),
        payload: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      })
      .map(({ type, ...rest }) => frame(type, rest)),
    fc.constantFrom(...Object.values(misdeeds)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(any, { maxLength: 6 }), async (pieces) => {
      const ends = web.ends().length;
      const bad = await web.raw();
      bad.write(Buffer.concat([begun, ...pieces]));
      await web.pass(250);
      bad.socket.resetAndDestroy();
      while (web.ends().length === ends) await web.pass(250);
      assert.equal((await ask(client).answered).body, "firstlast");
    }),
    { numRuns: 30 },
  );
  assert.deepEqual(web.errors, []);
});

test("what a client cannot speak is a protocol error, and it is told", async (t) => {
  const web = await startWeb(t, "h2c", plain);
  const client = await web.raw();
  client.write(Buffer.concat([begun, windowUpdate(0, 0)]));
  await until(() => web.managed.connections.size === 1);
  await web.pass(250);
  await client.ended;
  assert.match(goaways(bytesOf(client)).join(), /code [1-9]/);
  client.end();
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^protocol-error/);
});

test("a client that goes away has ended or reset, and the request's signal aborts", async (t) => {
  const signals: AbortSignal[] = [];
  const web = await startWeb(t, "h2c", (stream) => signals.push(requestOf(stream).signal));
  for (const leave of ["end", "resetAndDestroy"] as const) {
    const client = await web.raw();
    client.write(Buffer.concat([begun, request(1)]));
    const number = signals.length + 1;
    await until(() => signals.length === number);
    client.socket[leave]();
    await until(() => web.ends().length === number);
    assert.equal(signals[number - 1]?.aborted, true);
  }
  assert.deepEqual(
    web.ends().map((end) => end.split(" ")[0]),
    ["client-ended", "client-reset"],
  );
});

test("a client that closes its session has ended", async (t) => {
  const web = await startWeb(t, "h2c", plain);
  const client = await web.client();
  assert.equal((await ask(client).answered).body, "firstlast");
  client.close();
  await until(() => web.ends().length === 1);
  assert.deepEqual(
    web.ends().map((end) => end.split(" ")[0]),
    ["client-ended"],
  );
});

test("a handler that asks for its request after the client has gone gets one that is over", async (t) => {
  let held: ServerHttp2Stream | undefined;
  const web = await startWeb(t, "h2c", (stream) => (held = stream));
  const client = await web.client();
  const asked = ask(client);
  await until(() => held !== undefined);
  asked.stream.close(8);
  await until(() => held?.destroyed === true);
  const over = requestOf(held as ServerHttp2Stream);
  assert.deepEqual([over.ended, over.signal.aborted, over.resetTimeout("5s")], [true, true, false]);
});

test("a handler that throws: 500 on its stream, onError is told, and the others live", async (t) => {
  const web = await startWeb(t, "h2", (stream, headers) => {
    if (headers[":path"] === "/bad") throw new Error("mine");
    plain(stream);
  });
  const client = await web.client();
  const [bad, good] = [ask(client, { ":path": "/bad" }), ask(client)];
  assert.equal((await bad.answered).status, 500);
  assert.equal((await good.answered).body, "firstlast");
  assert.deepEqual(
    web.errors.map(({ message }) => message),
    ["mine"],
  );
});

test("an error with which the program destroys its stream is reported, unless it listens itself", async (t) => {
  const heard: string[] = [];
  const web = await startWeb(t, "h2c", (stream, headers) => {
    if (headers[":path"] === "/heard") stream.on("error", ({ message }) => heard.push(message));
    stream.destroy(new Error(`mine ${headers[":path"]}`));
  });
  const client = await web.client();
  await ask(client, { ":path": "/heard" }).answered;
  await ask(client, { ":path": "/unheard" }).answered;
  assert.deepEqual(heard, ["mine /heard"]);
  assert.deepEqual(
    web.errors.map(({ message }) => message),
    ["mine /unheard"],
  );
});

test("a pushed stream that the client refuses harms nobody", async (t) => {
  const web = await startWeb(t, "h2c", (stream) => {
    stream.pushStream({ ":path": "/pushed" }, (error, pushed) => {
      assert.equal(error, null);
      pushed.respond({ ":status": 200 });
      pushed.write("x");
    });
    stream.respond({ ":status": 200 });
    stream.end("ok");
  });
  const client = await web.client();
  client.on("stream", (pushed) => {
    pushed.on("error", () => {});
    pushed.close(7);
  });
  const pushes = once(client, "stream");
  assert.equal((await ask(client).answered).body, "ok");
  await pushes;
  await settle();
  assert.equal(web.connection().closeReason, null);
});
