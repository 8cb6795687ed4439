/**
 * Limits of HTTP/2 that end one stream and no other: the status or the code of its reset, the reason with its limit, and
 * when: not before the deadline, and at it. Its session lives on, and so does an event stream that runs beside it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import type { FrameClient } from "../../support/frame-client.ts";
import { data, windowUpdate } from "../../support/http2-frames.ts";
import { kinds, until } from "../../protocols/http2/web.ts";
import { answer, cutsAfter, isOpen, large, startHttp2 } from "./http2-scene.ts";
import type { Http2Scene } from "./http2-scene.ts";
import { endsAs, look, resolution } from "./scene.ts";

/** An event stream, the stream beside it that is cut, and one that comes afterwards. */
const [events, own, later] = [1, 3, 5] as const;

interface Cut {
  readonly name: string;
  readonly limits: SafetyLimitsOptions;
  /** Bytes that the client takes of a stream before it says more. */
  readonly window?: number;
  /** Brings the stream to where the deadline counts. */
  begin(client: FrameClient, scene: Http2Scene): Promise<unknown> | void;
  /** Milliseconds from then. */
  readonly after: number;
  /** How much later it may act. @default resolution */
  readonly slack?: number;
  readonly fate: string;
  readonly cut: string;
}

/** The head of a request, and so much of its body. */
async function posts(client: FrameClient, scene: Http2Scene, path: string, body = ""): Promise<void> {
  client.post(own, path);
  await until(() => scene.begun.has(own));
  if (body !== "") await scene.hears(client, data(own, body));
}

const off = { minSendRate: 0, maxBufferedBytes: Infinity, responseSendTimeout: Infinity };
const slowly = { bytesPerSecond: 100, grace: "1h" };

const cuts: readonly Cut[] = [
  {
    name: "requestReadTimeout: a body that does not come, 408",
    limits: { requestReadTimeout: "2s" },
    begin: (client, scene) => posts(client, scene, "/"),
    after: 2000,
    fate: "408, ended, reset NO_ERROR",
    cut: "read-timeout by requestReadTimeout while handling",
  },
  {
    name: "requestReadTimeout: a body that stalls, 408, a second later for each minReceiveRate bytes that came",
    limits: { requestReadTimeout: "2s", minReceiveRate: slowly },
    begin: (client, scene) => posts(client, scene, "/", "x".repeat(50)),
    after: 2500,
    slack: 2 * look,
    fate: "408, ended, reset NO_ERROR",
    cut: "read-timeout by requestReadTimeout while handling",
  },
  {
    name: "requestReadTimeout: a body that drips, 408",
    limits: { requestReadTimeout: "2s", minReceiveRate: slowly },
    async begin(client, scene) {
      await posts(client, scene, "/");
      for (let second = 0; second < 2; second++) {
        await scene.hears(client, data(own, "x"));
        await scene.pass(900);
      }
    },
    after: 2020 - 1800,
    slack: look,
    fate: "408, ended, reset NO_ERROR",
    cut: "read-timeout by requestReadTimeout while handling",
  },
  {
    name: "requestReadTimeout: a body that stalls once the response has begun, a reset without the response's end",
    limits: { requestReadTimeout: "2s", responseSendTimeout: Infinity },
    begin: (client) => client.post(own, "/stalls").sees(own, "200 begun"),
    after: 2000,
    fate: "200 begun, reset NO_ERROR",
    cut: "read-timeout by requestReadTimeout while sending",
  },
  {
    name: "responseTimeout: 503 where nothing was sent",
    limits: { responseTimeout: "2s" },
    begin: (client) => void client.get(own, "/silent"),
    after: 2000,
    fate: "503, ended",
    cut: "response-timeout by responseTimeout while handling",
  },
  {
    name: "responseTimeout: from the last of a body, not from the head",
    limits: { responseTimeout: "2s" },
    async begin(client, scene) {
      await posts(client, scene, "/silent");
      await scene.pass(1500);
      await scene.hears(client, data(own, "body", true));
    },
    after: 2000,
    fate: "503, ended",
    cut: "response-timeout by responseTimeout while handling",
  },
  {
    name: "responseTimeout: a body that the handler does not read is not waited for, 503",
    limits: { responseTimeout: "2s", requestReadTimeout: "1s" },
    begin: (client, scene) => posts(client, scene, "/unread", "x".repeat(50)),
    after: 2000,
    slack: 2 * look,
    fate: "503, ended, reset NO_ERROR",
    cut: "response-timeout by responseTimeout while handling",
  },
  {
    name: "a deadline that the program has moved holds once the response has begun",
    limits: { responseTimeout: "1h", responseSendTimeout: Infinity },
    begin: (client) => client.get(own, "/moved").sees(own, "200 begun"),
    after: 2000,
    fate: "200 begun, reset INTERNAL_ERROR",
    cut: "response-timeout by responseTimeout while sending",
  },
  {
    name: "responseSendTimeout: a client that keeps the window of one stream closed",
    limits: { ...off, responseSendTimeout: "4s" },
    window: 1000,
    begin: (client) => client.get(own, "/large").sees(own, "200 1000 bytes"),
    after: 4000,
    slack: look,
    fate: "200 1000 bytes, reset CANCEL",
    cut: "send-timeout by responseSendTimeout while sending",
  },
  {
    name: "responseSendTimeout: from the last byte that it took",
    limits: { ...off, responseSendTimeout: "4s" },
    window: 1000,
    async begin(client, scene) {
      client.get(own, "/large");
      for (let i = 1; i <= 5; i++) {
        await client.sees(own, `200 ${1000 * i} bytes`);
        await scene.pass(3000);
        client.write(windowUpdate(own, 1000));
      }
      await client.sees(own, "200 6000 bytes");
    },
    after: 4000,
    slack: look,
    fate: "200 6000 bytes, reset CANCEL",
    cut: "send-timeout by responseSendTimeout while sending",
  },
  {
    name: "responseSendTimeout: a handler that falls silent after it has begun has a reason of its own",
    limits: { ...off, responseSendTimeout: "4s" },
    begin: (client) => client.get(own, "/stalls").sees(own, "200 begun"),
    after: 4000,
    slack: look,
    fate: "200 begun, reset INTERNAL_ERROR",
    cut: "response-stalled by responseSendTimeout while sending",
  },
  {
    name: "minSendRate: a client that keeps the window of one stream closed",
    limits: { ...off, minSendRate: { bytesPerSecond: 1000, grace: "3s" } },
    window: 1000,
    begin: (client) => client.get(own, "/large").sees(own, "200 1000 bytes"),
    after: 3000,
    slack: look,
    fate: "200 1000 bytes, reset CANCEL",
    cut: "send-rate by minSendRate while sending",
  },
  {
    name: "minSendRate: what a client took at once lasts as long as the rate gives it, a window of judgement at a time",
    limits: { ...off, minSendRate: { bytesPerSecond: 1000, grace: "3s" } },
    window: 3000,
    begin: (client) => client.get(own, "/large").sees(own, "200 3000 bytes"),
    after: 6000,
    slack: look,
    fate: "200 3000 bytes, reset CANCEL",
    cut: "send-rate by minSendRate while sending",
  },
  {
    name: "maxBufferedBytes: more than that waits for a window that stays closed",
    limits: { ...off, maxBufferedBytes: "1 MiB" },
    window: 1000,
    begin: (client) => client.get(own, "/large").sees(own, "200 1000 bytes"),
    after: 20_000,
    slack: look,
    fate: "200 1000 bytes, reset ENHANCE_YOUR_CALM",
    cut: "limit by maxBufferedBytes while sending",
  },
];

/** A session with an event stream that has begun. */
async function meetBesideEvents(scene: Http2Scene, window?: number): Promise<FrameClient> {
  const client = await scene.meet(window === undefined ? {} : { 4: window });
  await client.get(events, "/events").sees(events, "200 first");
  return client;
}

for (const kind of kinds) {
  for (const { name, limits, window, begin, after, slack, fate, cut } of cuts) {
    test(`${kind}: ${name}, and its session lives`, async (t) => {
      const scene = await startHttp2(t, kind, limits);
      const client = await meetBesideEvents(scene, window);
      await begin(client, scene);
      await until(() => scene.begun.has(own));
      await cutsAfter(scene, cut, after, slack ?? resolution);
      await client.sees(own, fate);
      assert.deepEqual([scene.only().phase, scene.only().closeReason], ["handling", null]);
      isOpen(scene, client);
      client.get(later, "/");
      await client.sees(later, "200 0 bytes, ended");
      scene.begun.get(events)?.end("last");
      await client.sees(events, "200 firstlast, ended");
      await scene.reaches("idle");
      assert.deepEqual([client.fate(own), scene.cuts(), client.farewells], [fate, [cut], []]);
      await endsAs(scene, client, "client-ended by null while idle");
    });
  }

  test(`${kind}: without limits on time no stream is cut, however long it takes`, async (t) => {
    const scene = await startHttp2(t, kind, {
      ...off,
      responseTimeout: Infinity,
      requestReadTimeout: Infinity,
      minReceiveRate: 0,
    });
    const client = await scene.meet({ 4: 1000 });
    client.get(1, "/large").get(3, "/silent").get(5, "/stalls").post(7, "/", "x");
    await client.sees(1, "200 1000 bytes");
    for (let minute = 0; minute < 10; minute++) await scene.pass(60_000);
    assert.deepEqual([scene.cuts(), scene.only().closeReason], [[], null]);
    client
      .write(windowUpdate(1, large.length))
      .write(windowUpdate(0, large.length))
      .write(data(7, "y", true));
    await client.sees(1, `200 ${large.length} bytes, ended`);
    await client.sees(7, "200 2 bytes, ended");
  });

  test(`${kind}: what comes a moment before its deadline is served`, async (t) => {
    const scene = await startHttp2(t, kind, {
      requestReadTimeout: "2s",
      responseTimeout: "3s",
      idleTimeout: "4s",
      minReceiveRate: slowly,
    });
    const client = await scene.meet();
    await scene.pass(3999);
    client.post(1, "/silent");
    await until(() => scene.begun.has(1));
    await scene.pass(1999);
    await scene.hears(client, data(1, "body", true));
    await scene.pass(2999);
    const stream = scene.begun.get(1);
    assert.ok(stream !== undefined);
    answer(stream, "ok");
    await client.sees(1, "200 ok, ended");
    await scene.reaches("idle");
    await scene.pass(3999);
    client.get(3, "/");
    await client.sees(3, "200 0 bytes, ended");
    assert.deepEqual([scene.cuts(), scene.only().closeReason], [[], null]);
  });

  for (const [what, headers, path] of [
    ["event streams", {}, "/events"],
    ["gRPC", { "content-type": "application/grpc+proto" }, "/grpc"],
  ] as const) {
    test(`${kind}: requestReadTimeout and responseSendTimeout: ${what} may be silent once they have begun`, async (t) => {
      const scene = await startHttp2(t, kind, { requestReadTimeout: "2s", responseSendTimeout: "4s" });
      const client = await scene.meet();
      client.post(1, path, "", headers);
      await client.sees(1, "200 first");
      for (let second = 0; second < 90; second++) await scene.pass(1000);
      assert.deepEqual([scene.cuts(), scene.only().closeReason], [[], null]);
      scene.begun.get(1)?.end("last");
      await client.sees(1, "200 firstlast, ended");
      client.write(data(1, "", true));
      await scene.reaches("idle");
    });

    test(`${kind}: requestReadTimeout: once the answer of ${what} is whole, a client that never ends its half is no longer waited for`, async (t) => {
      const scene = await startHttp2(t, kind, { requestReadTimeout: "2s", responseSendTimeout: "4s" });
      const client = await scene.meet();
      client.post(1, path, "", headers);
      await client.sees(1, "200 first");
      for (let second = 0; second < 9; second++) await scene.pass(1000);
      scene.begun.get(1)?.end("last");
      await client.sees(1, "200 firstlast, ended");
      await scene.pass(1500);
      assert.deepEqual(scene.cuts(), []);
      for (let i = 0; i < 4; i++) await scene.pass(250);
      await client.sees(1, "200 firstlast, ended, reset NO_ERROR");
      assert.deepEqual(scene.cuts(), ["read-timeout by requestReadTimeout while sending"]);
      await scene.reaches("idle");
    });
  }

  for (const [pace, lives] of [
    [300, true],
    [180, false],
  ] as const) {
    test(`${kind}: minReceiveRate of 240 B/s: a body that comes with ${pace} B/s ${lives ? "lives" : "gets 408"}`, async (t) => {
      const scene = await startHttp2(t, kind, { requestReadTimeout: "1h", responseTimeout: "2s" });
      const client = await scene.meet();
      await posts(client, scene, "/");
      let seconds = 0;
      for (; seconds < 60 && scene.cuts().length === 0; seconds++) {
        await scene.hears(client, data(own, "x".repeat(pace), seconds === 59));
        for (let i = 0; i < 4 && seconds < 59; i++) await scene.pass(250);
      }
      await client.sees(own, lives ? "200 18000 bytes, ended" : "408, ended, reset NO_ERROR");
      assert.deepEqual(scene.cuts(), lives ? [] : ["receive-rate by minReceiveRate while handling"]);
      if (!lives) assert.ok(seconds > 5 && seconds < 12, `after its grace of 5 s: ${seconds} s`);
      assert.equal(scene.only().closeReason, null);
    });
  }
}
