import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { handleQueue } from "../../../src/core/node-internals.ts";
import {
  frameTypes,
  framesIn,
  preface,
  request,
  reset,
  settings,
  settingsAck,
  windowUpdate,
} from "../../support/http2-frames.ts";
import { connectTo } from "../../support/tcp-client.ts";
import { ask, bytesOf, kinds, settle, startWeb, until } from "./web.ts";

const large = (bytes: number) => (stream: ServerHttp2Stream) => {
  stream.respond({ ":status": 200 });
  stream.end(Buffer.alloc(bytes));
};

for (const kind of kinds) {
  test(`${kind}: a client that closes the window of one stream has that stream reset, and the others live`, async (t) => {
    const web = await startWeb(
      t,
      kind,
      (stream, headers) => large(headers[":path"] === "/larger" ? 3_000_000 : 1_000_000)(stream),
      { limits: { responseSendTimeout: "4s", minSendRate: 0 } },
    );
    const client = await web.client();
    client.setLocalWindowSize(10_000_000);
    const stalled = client.request({ ":path": "/" });
    stalled.on("error", () => {});
    stalled.pause();
    const closed = once(stalled, "close");
    await once(stalled, "response");
    await settle();
    await web.pass(3500);
    assert.deepEqual(web.cuts(), []);
    const other = ask(client, { ":path": "/larger" });
    assert.equal((await other.answered).body.length, 3_000_000);
    await web.pass(250);
    await web.pass(4500);
    assert.deepEqual(web.cuts(), ["send-timeout by responseSendTimeout while sending"]);
    stalled.resume();
    await closed;
    assert.equal(stalled.rstCode, 8, "CANCEL");
    assert.equal((await ask(client).answered).status, 200);
    assert.equal(web.connection().closeReason, null);
  });
}

test("a stream that is taken more slowly than minSendRate is reset; one that is taken is not", async (t) => {
  const web = await startWeb(t, "h2c", large(300_000), {
    limits: { minSendRate: { bytesPerSecond: 1000, grace: "2s" }, responseSendTimeout: "60s" },
  });
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings({ 4: 1000 }), settingsAck, request(1)]));
  await until(() => web.managed.connections.size === 1 && web.connection().phase === "handling");
  for (let i = 0; i < 16; i++) {
    client.write(windowUpdate(1, 1000));
    await settle();
    await web.pass(250);
  }
  assert.deepEqual(web.cuts(), []);
  // What it took in one period helps it for as long as the rate gives it.
  await web.pass(8000);
  assert.deepEqual(web.cuts(), []);
  await web.pass(6000);
  assert.deepEqual(web.cuts(), ["send-rate by minSendRate while sending"]);
  const last = framesIn(bytesOf(client)).at(-1);
  assert.deepEqual([last?.type, last?.stream, last?.payload.readUInt32BE(0)], [frameTypes.reset, 1, 8]);
  assert.equal(web.connection().closeReason, null);
});

test("a client that takes its window in pieces lives for as long as minSendRate gives all of it, not the last piece", async (t) => {
  let stream: ServerHttp2Stream | undefined;
  const web = await startWeb(t, "h2c", (opened) => {
    stream = opened;
    stream.respond({ ":status": 200 });
  });
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings({ 4: 60_000 }), settingsAck, request(1)]));
  await until(() => stream !== undefined);
  // A source of its own pace; the last piece hardly fits.
  for (let written = 0; written <= 60_000; written += 13_107) {
    stream?.write(Buffer.alloc(13_107));
    await settle();
    await web.pass(40);
  }
  // It reads 3 kB/s, and tells so when half of the window is free.
  for (let time = 0; time < 40; time += 10) {
    await web.pass(10_000);
    client.write(windowUpdate(1, 30_000));
    await settle();
    stream?.write(Buffer.alloc(30_000));
  }
  assert.deepEqual(web.cuts(), []);
});

test("a client that takes a little of each piece is cut by minSendRate, however small the pieces are", async (t) => {
  let stream: ServerHttp2Stream | undefined;
  const web = await startWeb(t, "h2c", (opened) => {
    stream = opened;
    stream.respond({ ":status": 200 });
    const next = (error?: Error | null): void => {
      if (error == null) opened.write(Buffer.alloc(100), next);
    };
    next();
  });
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings({ 4: 100 }), settingsAck, request(1)]));
  await until(() => stream !== undefined);
  for (let time = 0; time < 30 && web.cuts().length === 0; time++) {
    client.write(windowUpdate(1, 100));
    await settle();
    await web.pass(1000);
  }
  assert.deepEqual(web.cuts(), ["send-rate by minSendRate while sending"]);
});

for (const kind of kinds) {
  test(`${kind}: answers to pings and settings are no progress of streams whose windows stay closed`, async (t) => {
    let open = 0;
    const handler = (stream: ServerHttp2Stream): void => {
      open++;
      large(10_000)(stream);
    };
    const web = await startWeb(t, kind, handler, { limits: { responseSendTimeout: "4s", minSendRate: 0 } });
    const client = await web.client();
    const initialWindowSize = 0;
    client.settings({ initialWindowSize });
    await settle();
    for (let i = 0; i < 2; i++) client.request({ ":path": "/" }).on("error", () => {});
    await until(() => open === 2);
    for (let second = 0; second < 8 && web.cuts().length < 2; second++) {
      for (let i = 0; i < 10; i++) {
        if (i % 2 === 0) client.ping(() => {});
        else client.settings({ initialWindowSize });
        await settle();
        await web.pass(100);
      }
    }
    assert.deepEqual(web.cuts(), Array(2).fill("send-timeout by responseSendTimeout while sending"));
    assert.equal(web.connection().closeReason, null);
  });
}

test("a stream that may be silent, and ends after a long silence, has ended well", async (t) => {
  let stream: ServerHttp2Stream | undefined;
  const handler = (opened: ServerHttp2Stream): void => {
    stream = opened;
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    stream.once("data", () => opened.pause());
  };
  const web = await startWeb(t, "h2c", handler, { limits: { responseSendTimeout: "4s" } });
  const client = await web.client();
  const asked = client.request({ ":method": "POST", ":path": "/" });
  let code: number | undefined;
  asked.on("close", () => (code = asked.rstCode)).resume();
  asked.write("hello");
  await until(() => stream !== undefined);
  await web.pass(10_000);
  stream?.end();
  await settle();
  await web.pass(500);
  asked.end();
  await settle();
  stream?.resume();
  await until(() => code !== undefined);
  assert.deepEqual([code, web.cuts()], [0, []]);
});

test("a listener that throws when its stream is cut fails alone: the stream is gone, and the others are cut in their time", async (t) => {
  const handler = (stream: ServerHttp2Stream): void => {
    if (stream.id === 1) {
      stream.on("aborted", () => {
        throw new Error("mine");
      });
    }
    stream.respond({ ":status": 200 });
    stream.write(Buffer.alloc(200_000));
  };
  const web = await startWeb(t, "h2c", handler, { limits: { responseSendTimeout: "4s", minSendRate: 0 } });
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings({ 4: 0 }), settingsAck, request(1)]));
  await until(() => web.managed.connections.size === 1 && web.connection().phase === "handling");
  await web.pass(1000);
  client.write(request(3));
  await settle();
  await web.pass(6000);
  assert.deepEqual(web.cuts(), Array(2).fill("send-timeout by responseSendTimeout while sending"));
  assert.deepEqual(
    web.errors.map(({ message }) => message),
    ["mine"],
  );
  const resets = framesIn(bytesOf(client)).filter(({ type }) => type === frameTypes.reset);
  assert.deepEqual(
    resets.map(({ stream }) => stream),
    [1, 3],
  );
});

test("what the program goes on writing is no progress of a stream whose window stays closed", async (t) => {
  let stream: ServerHttp2Stream | undefined;
  const handler = (opened: ServerHttp2Stream): void => {
    stream = opened;
    stream.respond({ ":status": 200, "content-type": "text/event-stream" });
  };
  const web = await startWeb(t, "h2c", handler, { limits: { responseSendTimeout: "4s", minSendRate: 0 } });
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings({ 4: 0 }), settingsAck, request(1)]));
  await until(() => web.managed.connections.size === 1 && web.connection().phase === "handling");
  for (let second = 0; second < 6 && web.cuts().length === 0; second++) {
    stream?.write("an event\n");
    await web.pass(1000);
  }
  assert.deepEqual(web.cuts(), ["send-timeout by responseSendTimeout while sending"]);
});

test("what waits in all streams of a session together is bounded by maxBufferedBytes", async (t) => {
  const web = await startWeb(t, "h2c", large(400_000), {
    limits: { maxBufferedBytes: 1_000_000, minSendRate: 0, responseSendTimeout: "60s" },
  });
  const client = await web.raw();
  client.write(Buffer.concat([preface, settings({ 4: 0 }), settingsAck, request(1), request(3), request(5)]));
  await until(() => web.managed.connections.size === 1 && web.connection().phase === "handling");
  await settle();
  await web.pass(21_000);
  assert.deepEqual(web.cuts(), ["limit by maxBufferedBytes while sending"], "the first of them is enough");
  client.write(reset(3, 8));
});

for (const kind of kinds) {
  test(`${kind}: a client that takes nothing is reset, so that the kernel holds nothing for it`, async (t) => {
    const web = await startWeb(t, kind, large(20_000_000), { limits: { responseSendTimeout: "3s" } });
    const tcp = await connectTo(t, web.port);
    tcp.socket.removeAllListeners("data");
    tcp.socket.pause();
    let socket: Socket = tcp.socket;
    if (kind === "h2") {
      const secure = connectTls({ socket: tcp.socket, ALPNProtocols: ["h2"], rejectUnauthorized: false });
      secure.on("error", () => {});
      await once(secure, "secureConnect");
      socket = secure;
    }
    const greeting = [preface, settings({ 4: 100_000_000 }), windowUpdate(0, 100_000_000), settingsAck, request(1)];
    socket.write(Buffer.concat(greeting));
    await until(() => web.managed.connections.size === 1 && web.connection().phase === "handling");
    const connection = web.connection();
    const raw = (connection.rawOutput ?? connection.output) as Socket;
    await until(() => handleQueue(raw) > 0);
    await settle();
    assert.ok(connection.bufferedBytes > 0);
    let isReset = false;
    const { resetAndDestroy } = raw;
    raw.resetAndDestroy = function () {
      isReset = true;
      return resetAndDestroy.call(this);
    };
    await web.pass(250);
    const queued = handleQueue(raw);
    await web.pass(3500);
    if (connection.closeReason === null) {
      // The kernel may have taken some more meanwhile.
      assert.notEqual(handleQueue(raw), queued);
      await web.pass(3500);
    }
    await until(() => web.ends().length === 1);
    assert.deepEqual(web.ends(), ["send-timeout while handling"]);
    assert.equal(isReset, true);
  });
}
