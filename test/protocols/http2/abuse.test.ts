import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerHttp2Stream } from "node:http2";
import {
  data,
  frame,
  frameTypes,
  goaways,
  ping,
  preface,
  request,
  reset,
  settings,
  settingsAck,
} from "../../support/http2-frames.ts";
import type { TcpClient } from "../../support/tcp-client.ts";
import { ask, bytesOf, settle, startWeb, until } from "./web.ts";
import type { Web } from "./web.ts";

const ok = (stream: ServerHttp2Stream): void => {
  stream.respond({ ":status": 200 });
  stream.end("ok");
};

async function settled(web: Web, client: TcpClient): Promise<void> {
  client.write(Buffer.concat([preface, settings(), settingsAck]));
  await until(() => web.managed.connections.size === 1 && web.connection().phase === "idle");
}

test("3000 requests that are reset at once: GOAWAY(ENHANCE_YOUR_CALM), and the socket is closed", async (t) => {
  let served = 0;
  const web = await startWeb(t, "h2c", (stream) => {
    served++;
    ok(stream);
  });
  const client = await web.raw();
  await settled(web, client);
  const pairs = Array.from({ length: 3000 }, (_, i) => [request(2 * i + 1), reset(2 * i + 1, 8)]).flat();
  client.write(Buffer.concat(pairs));
  await client.ended;
  // Newer Nodes may be the first to find it, and have a code of their own.
  assert.match(goaways(bytesOf(client)).at(-1) ?? "", /code (11|2)$/);
  client.end();
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^abuse while/);
  assert.ok(served < 3000, `${served} handlers ran`);
  assert.deepEqual(web.errors, []);
});

test("so many resets in so much time are taken, and as many again later; one more is not", async (t) => {
  const web = await startWeb(t, "h2c", () => {}, { limits: { maxStreamResets: { count: 20, per: "30s" } } });
  const client = await web.raw();
  await settled(web, client);
  let id = 1;
  const resets = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++, id += 2) client.write(Buffer.concat([request(id), reset(id, 8)]));
    await settle();
  };
  for (let round = 0; round < 3; round++) {
    await resets(20);
    await until(() => web.connection().phase === "idle");
    assert.equal(web.connection().closeReason, null);
    await web.pass(30_000);
  }
  await resets(21);
  await client.ended;
  assert.match(goaways(bytesOf(client)).at(-1) ?? "", /code 11$/);
  client.end();
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^abuse while/);
});

test("streams that the program closes are no resets of the client", async (t) => {
  const web = await startWeb(t, "h2c", (stream) => stream.close(8), { limits: { maxStreamResets: 3 } });
  const client = await web.client();
  for (let i = 0; i < 10; i++) await ask(client).answered;
  await settle();
  assert.equal(web.connection().closeReason, null);
});

const closing: Record<string, (stream: ServerHttp2Stream) => void> = {
  "closes them, too": (stream) => stream.on("aborted", () => stream.close()),
  "destroys them with an error": (stream) =>
    stream.on("error", () => {}).on("aborted", () => stream.destroy(new Error("gone"))),
  "tried to close them with what is no code": (stream) => assert.throws(() => stream.close("none" as never)),
};
for (const [name, handle] of Object.entries(closing)) {
  for (const breaths of [1, 2]) {
    test(`streams that the client resets are its resets though the program ${name}; in ${breaths} breaths`, async (t) => {
      const web = await startWeb(t, "h2c", handle, { limits: { maxStreamResets: { count: 20, per: "30s" } } });
      const client = await web.raw();
      await settled(web, client);
      for (let id = 1; id <= 41 && web.connection().closeReason === null; id += 2) {
        client.write(request(id));
        if (breaths === 2) await until(() => web.connection().phase === "handling");
        client.write(reset(id, 8));
        await settle();
      }
      await client.ended;
      client.end();
      await until(() => web.ends().length === 1);
      assert.match(web.ends()[0] ?? "", /^abuse while/);
      assert.deepEqual(web.errors, []);
    });
  }
}

test("streams that the program closes are no resets of the client, though a listener of its own throws meanwhile", async (t) => {
  const limits = { maxStreamResets: 3 };
  const web = await startWeb(
    t,
    "h2c",
    (stream) => {
      stream
        .on("error", () => {})
        .on("aborted", () => {
          throw new Error("on purpose");
        });
      assert.throws(() => stream.close(8), /on purpose/);
      stream.destroy();
    },
    { limits },
  );
  const client = await web.client();
  // Node, too, has been interrupted, and tells the client nothing.
  for (let i = 0; i < 10; i++) ask(client);
  await settle();
  assert.equal(web.connection().phase, "idle");
  assert.equal(web.connection().closeReason, null);
});

const floods: Record<string, (i: number) => Buffer> = {
  PING: ping,
  "PING answers": () => frame(frameTypes.ping, { flags: 1, payload: Buffer.alloc(8) }),
  SETTINGS: () => settings(),
  PRIORITY: () => frame(frameTypes.priority, { stream: 1, payload: Buffer.from("0000000300", "hex") }),
  "unknown frames": () => frame(99),
  "window updates": () => frame(frameTypes.windowUpdate, { payload: Buffer.from("00000001", "hex") }),
};
for (const [name, make] of Object.entries(floods)) {
  test(`a flood of ${name}: GOAWAY, and the socket is closed`, async (t) => {
    const web = await startWeb(t, "h2c", ok);
    const client = await web.raw();
    await settled(web, client);
    for (let sent = 0; sent < 30_000 && web.ends().length === 0 && !client.socket.destroyed; sent += 3000) {
      client.write(Buffer.concat(Array.from({ length: 3000 }, (_, i) => make(i))));
      await settle();
      web.clock.advance(250);
    }
    await client.ended;
    client.end();
    await until(() => web.ends().length === 1);
    // Node itself may be the first to find an answer to a PING that nobody sent.
    assert.match(web.ends()[0] ?? "", name === "PING answers" ? /^(abuse|protocol-error) while/ : /^abuse while/);
    assert.ok(goaways(bytesOf(client)).length > 0);
    assert.deepEqual(web.errors, []);
  });
}

test("a flood of empty DATA: GOAWAY, and the socket is closed", async (t) => {
  const web = await startWeb(t, "h2c", (stream) => stream.resume());
  const client = await web.raw();
  await settled(web, client);
  client.write(request(1, { method: "POST", end: false }));
  for (let i = 0; i < 10 && web.ends().length === 0; i++) {
    client.write(Buffer.concat(Array.from({ length: 2000 }, () => data(1, ""))));
    await settle();
    web.clock.advance(250);
  }
  await client.ended;
  client.end();
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^abuse while/);
});

test("honest traffic is no flood: large downloads, large uploads and many small requests", async (t) => {
  const web = await startWeb(
    t,
    "h2",
    (stream, headers) => {
      stream.respond({ ":status": 200 });
      if (headers[":method"] === "POST") stream.resume().on("end", () => stream.end());
      else stream.end(Buffer.alloc(headers[":path"] === "/large" ? 20_000_000 : 10));
    },
    { limits: { maxRequestBodyLength: Infinity } },
  );
  const client = await web.client();
  const ticking = setInterval(() => web.clock.advance(250), 20);
  t.after(() => clearInterval(ticking));
  assert.equal((await ask(client, { ":path": "/large" }).answered).body.length, 20_000_000);
  const upload = ask(client, { ":path": "/", ":method": "POST" });
  for (let i = 0; i < 2000; i++) upload.stream.write(Buffer.alloc(i));
  upload.stream.end();
  assert.equal((await upload.answered).status, 200);
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 50 }, () => ask(client).answered));
  assert.equal(web.connection().closeReason, null);
});

test("an upload that is refused may still send what is on its way", async (t) => {
  const web = await startWeb(t, "h2c", ok, { limits: { maxRequestBodyLength: 10 } });
  const client = await web.client();
  for (let i = 0; i < 5; i++) {
    const upload = ask(client, { ":path": "/", ":method": "POST", "content-length": 65_000 });
    upload.stream.end(Buffer.alloc(65_000));
    assert.equal((await upload.answered).status, 413);
    await web.pass(250);
  }
  assert.equal(web.connection().closeReason, null);
});

test("a client is told how many streams it may have at once", async (t) => {
  const web = await startWeb(t, "h2c", ok, { limits: { maxConcurrentStreams: 7 } });
  const client = await web.client();
  assert.equal(client.remoteSettings.maxConcurrentStreams, 7);
});

test("requests that are reset as soon as they were sent are counted, though the program has answered them by then", async (t) => {
  const web = await startWeb(t, "h2c", () => {}, { limits: { maxStreamResets: { count: 9, per: 30_000 } } });
  web.server.on("request", (_, response) => response.end("ok"));
  const client = await web.client();
  for (let i = 0; i < 10; i++) {
    const { stream } = ask(client);
    stream.on("error", () => {}).close(8);
    await settle();
  }
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^abuse/);
});
