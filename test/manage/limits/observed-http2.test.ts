/**
 * Limits that only observe, on HTTP/2: no stream and no session is cut, and clients are told nothing that a bare server does not
 * tell; each stream that would have been cut is published, once for each limit, and each time that a session breaks one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import type { FrameClient } from "../../support/frame-client.ts";
import {
  data,
  frameTypes,
  framesIn,
  ping,
  preface,
  request,
  reset,
  settings,
  settingsAck,
  windowUpdate,
} from "../../support/http2-frames.ts";
import { kinds, settle, until } from "../../protocols/http2/web.ts";
import { deafClients, off } from "./deaf-clients.ts";
import { answer, large, startHttp2 } from "./http2-scene.ts";
import type { Http2Scene } from "./http2-scene.ts";
import { look } from "./scene.ts";

interface Observed {
  readonly name: string;
  readonly limits: SafetyLimitsOptions;
  /** Bytes that the client takes of a stream before it says more. */
  readonly window?: number;
  /** Breaks the limit, much later than it would have cut, and goes on until the answers have come. */
  act(client: FrameClient, scene: Http2Scene): Promise<unknown>;
  /** What came of each stream. */
  readonly fates: Readonly<Record<number, string>>;
  readonly spared: readonly string[];
}

const times = (count: number, spared: string): string[] => Array.from({ length: count }, () => spared);
const slowly = { bytesPerSecond: 100, grace: "1h" };

/** Looks, and much more time than any limit grants. */
async function passMinutes(scene: Http2Scene): Promise<void> {
  for (let i = 0; i < 4; i++) await scene.pass(look);
  for (let minute = 0; minute < 5; minute++) await scene.pass(60_000);
}

/** Looks, for so many milliseconds. */
async function passLooks(scene: Http2Scene, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += look) await scene.pass(look);
}

/** The program answers streams that it left waiting. */
function answerAll(scene: Http2Scene, ...streams: number[]): void {
  for (const id of streams) {
    const stream = scene.begun.get(id);
    assert.ok(stream !== undefined);
    answer(stream, "late");
  }
}

const asksSilently =
  (...streams: number[]): Observed["act"] =>
  async (client, scene) => {
    for (const id of streams) client.get(id, "/silent");
    await until(() => scene.begun.size === streams.length);
    await passMinutes(scene);
    answerAll(scene, ...streams);
  };

const halfABody: Observed["act"] = async (client, scene) => {
  client.post(1, "/", "half");
  await until(() => scene.begun.has(1));
  await settle();
  await passMinutes(scene);
  client.write(data(1, "half", true));
};

/** Asks for what is more than a window of 1000 bytes, and opens it after `ms`. */
const withClosedWindow =
  (ms: number): Observed["act"] =>
  async (client, scene) => {
    for (const id of [1, 3]) {
      client.get(id, "/large");
      await client.sees(id, "200 1000 bytes");
    }
    await passLooks(scene, ms);
    client.write(windowUpdate(0, 3 * large.length));
    for (const id of [1, 3]) client.write(windowUpdate(id, large.length));
  };

const wholeLarge = `200 ${large.length} bytes, ended`;

const limited: readonly Observed[] = [
  {
    name: "requestReadTimeout: half a body",
    limits: { requestReadTimeout: "2s", minReceiveRate: slowly },
    act: halfABody,
    fates: { 1: "200 8 bytes, ended" },
    spared: ["read-timeout by requestReadTimeout"],
  },
  {
    name: "requestReadTimeout, then responseTimeout: half a body, and a slow handler",
    limits: { requestReadTimeout: "2s", responseTimeout: "2s", minReceiveRate: slowly },
    async act(client, scene) {
      client.post(1, "/silent", "half");
      await until(() => scene.begun.has(1));
      await passMinutes(scene);
      await scene.hears(client, data(1, "half", true));
      await passMinutes(scene);
      answerAll(scene, 1);
    },
    fates: { 1: "200 late, ended" },
    spared: ["read-timeout by requestReadTimeout", "response-timeout by responseTimeout"],
  },
  {
    name: "minReceiveRate: half a body",
    limits: { requestReadTimeout: "1h", minReceiveRate: { bytesPerSecond: 100, grace: "3s" } },
    act: halfABody,
    fates: { 1: "200 8 bytes, ended" },
    spared: ["receive-rate by minReceiveRate"],
  },
  {
    name: "responseTimeout: each of five slow streams",
    limits: { responseTimeout: "2s" },
    act: asksSilently(1, 3, 5, 7, 9),
    fates: Object.fromEntries([1, 3, 5, 7, 9].map((id) => [id, "200 late, ended"])),
    spared: times(5, "response-timeout by responseTimeout"),
  },
  {
    name: "responseSendTimeout: each of two streams that a client does not take",
    limits: { ...off, responseSendTimeout: "4s" },
    window: 1000,
    act: withClosedWindow(20_000),
    fates: { 1: wholeLarge, 3: wholeLarge },
    spared: times(2, "send-timeout by responseSendTimeout"),
  },
  {
    name: "minSendRate: each of two streams that a client does not take",
    limits: { ...off, minSendRate: { bytesPerSecond: 240, grace: "3s" } },
    window: 1000,
    act: withClosedWindow(20_000),
    fates: { 1: wholeLarge, 3: wholeLarge },
    spared: times(2, "send-rate by minSendRate"),
  },
  {
    name: "maxBufferedBytes: each of two streams that a client does not take",
    limits: { ...off, maxBufferedBytes: "1 MiB" },
    window: 1000,
    act: withClosedWindow(60_000),
    fates: { 1: wholeLarge, 3: wholeLarge },
    spared: times(2, "limit by maxBufferedBytes"),
  },
  {
    name: "responseSendTimeout: a handler that falls silent",
    limits: { ...off, responseSendTimeout: "4s" },
    async act(client, scene) {
      await client.get(1, "/stalls").sees(1, "200 begun");
      await passLooks(scene, 20_000);
      scene.begun.get(1)?.end("ended");
    },
    fates: { 1: "200 begunended, ended" },
    spared: ["response-stalled by responseSendTimeout"],
  },
  {
    name: "idleTimeout: each time that it goes quiet",
    limits: { idleTimeout: "2s" },
    async act(client, scene) {
      for (const id of [1, 3]) {
        await passMinutes(scene);
        await client.get(id, "/").sees(id, "200 0 bytes, ended");
        await scene.reaches("idle");
      }
    },
    fates: { 1: "200 0 bytes, ended", 3: "200 0 bytes, ended" },
    spared: times(2, "idle-timeout by idleTimeout"),
  },
  {
    name: "maxConnectionAge",
    limits: { maxConnectionAge: "10s", idleTimeout: "1h" },
    async act(client, scene) {
      await passMinutes(scene);
      await client.get(1, "/").sees(1, "200 0 bytes, ended");
      await passMinutes(scene);
      client.get(3, "/");
    },
    fates: { 1: "200 0 bytes, ended", 3: "200 0 bytes, ended" },
    spared: ["max-age by maxConnectionAge"],
  },
  {
    name: "maxRequestsPerConnection",
    limits: { maxRequestsPerConnection: 2 },
    async act(client) {
      for (const id of [1, 3, 5, 7]) await client.get(id, "/").sees(id, "200 0 bytes, ended");
    },
    fates: { 7: "200 0 bytes, ended" },
    spared: ["limit by maxRequestsPerConnection"],
  },
  {
    name: "maxConcurrentStreams: each stream beyond it",
    limits: { maxConcurrentStreams: 3 },
    async act(client, scene) {
      for (const id of [1, 3, 5, 7, 9]) client.get(id, "/silent");
      await until(() => scene.begun.size === 5);
      answerAll(scene, 1, 3, 5, 7, 9);
      await client.sees(9, "200 late, ended");
      await scene.reaches("idle");
      // There is room again.
      await client.get(11, "/").sees(11, "200 0 bytes, ended");
    },
    fates: Object.fromEntries([1, 3, 5, 7, 9].map((id) => [id, "200 late, ended"])),
    spared: times(2, "limit by maxConcurrentStreams"),
  },
  {
    name: "maxStreamResets: each time that there come to be too many",
    limits: { maxStreamResets: { count: 3, per: "10s" }, idleTimeout: "1h" },
    async act(client, scene) {
      let id = 1;
      for (let flood = 0; flood < 2; flood++) {
        for (let i = 0; i < 10; i++, id += 2) {
          await scene.hears(client, Buffer.concat([request(id, { path: "/silent" }), reset(id, 8)]));
        }
        await passMinutes(scene);
      }
      client.get(id, "/");
    },
    fates: { 41: "200 0 bytes, ended" },
    spared: times(2, "abuse by maxStreamResets"),
  },
  {
    name: "maxControlFrames: each time that there come to be too many",
    limits: { maxControlFrames: { count: 50, per: "10s" }, idleTimeout: "1h" },
    async act(client, scene) {
      for (let flood = 0; flood < 2; flood++) {
        for (let i = 0; i < 8; i++) {
          await scene.hears(client, Buffer.concat(Array.from({ length: 100 }, ping)));
          await scene.pass(look);
        }
        await passMinutes(scene);
      }
      client.get(1, "/");
    },
    fates: { 1: "200 0 bytes, ended" },
    spared: times(2, "abuse by maxControlFrames"),
  },
  ...(
    [
      ["maxRequestLineLength", { maxRequestLineLength: 20 }, { path: `/${"a".repeat(500)}` }, "200 0 bytes, ended"],
      ["maxRequestHeaders", { maxRequestHeaders: 1 }, { headers: { a: "1", b: "2" } }, "200 0 bytes, ended"],
      [
        "maxRequestHeaderLength",
        { maxRequestHeaderLength: 20 },
        { headers: { a: "a".repeat(50) } },
        "200 0 bytes, ended",
      ],
    ] as const
  ).map(([limit, limits, head, fate]): Observed => ({
    name: `${limit}: each of two requests`,
    limits,
    async act(client) {
      for (const id of [1, 3]) await client.write(request(id, head)).sees(id, fate);
    },
    fates: { 3: fate },
    spared: times(2, `limit by ${limit}`),
  })),
  ...[{}, { "content-length": "150" }].map((headers): Observed => ({
    name: `maxRequestBodyLength: each of two bodies, ${"content-length" in headers ? "announced" : "counted"}`,
    limits: { maxRequestBodyLength: 100 },
    async act(client) {
      for (const id of [1, 3]) {
        client.post(id, "/", "", headers);
        for (const isLast of [false, false, true]) client.write(data(id, "x".repeat(50), isLast));
        await client.sees(id, "200 150 bytes, ended");
      }
    },
    fates: { 3: "200 150 bytes, ended" },
    spared: times(2, "limit by maxRequestBodyLength"),
  })),
];

/** Nothing but what belongs to streams, and answers to settings and pings, came from the server. */
function toldNothing({ received }: FrameClient): void {
  const { goaway, reset: resets, settings: setting } = frameTypes;
  const frames = framesIn(Buffer.from(received, "latin1"));
  assert.deepEqual(
    frames.filter(({ type }) => type === goaway || type === resets),
    [],
  );
  const [first] = frames;
  assert.equal(first?.type, setting);
  // SETTINGS_MAX_CONCURRENT_STREAMS: a bare server does not say it.
  for (let at = 0; at < (first?.payload.length ?? 0); at += 6) assert.notEqual(first?.payload.readUInt16BE(at), 3);
}

for (const kind of kinds) {
  for (const { name, limits, window, act, fates, spared } of limited) {
    test(`${kind}: ${name}: nothing is cut, and each cut is published once`, async (t) => {
      const scene = await startHttp2(t, kind, limits, true);
      const client = await scene.meet(window === undefined ? {} : { 4: window });
      await act(client, scene);
      for (const [stream, fate] of Object.entries(fates)) await client.sees(Number(stream), fate);
      await scene.reaches("idle");
      assert.deepEqual(scene.spared(), spared);
      assert.deepEqual([scene.cuts(), scene.endings(), scene.errors], [[], [], []]);
      toldNothing(client);
    });
  }

  for (const { name, limits, after, ending } of deafClients) {
    test(`${kind}: ${name}: a session that takes nothing is published once, and takes all in the end`, async (t) => {
      const scene = await startHttp2(t, kind, limits, true);
      const client = await scene.meet({ 4: 2 ** 30 });
      client.write(windowUpdate(0, 2 ** 30));
      await settle();
      client.socket.pause();
      client.get(1, "/big");
      await until(() => scene.only().unsentBytes > 0);
      await settle();
      await passLooks(scene, 5 * after);
      client.socket.resume();
      await until(() => client.received.length > 32 * 2 ** 20);
      await scene.reaches("idle");
      assert.deepEqual([scene.spared(), scene.cuts(), scene.endings()], [[ending], [], []]);
    });
  }

  test(`${kind}: handshakeTimeout: a client that takes its time is served, and published once`, async (t) => {
    const limits = { handshakeTimeout: "2s", responseTimeout: "1h", idleTimeout: "1h" };
    const scene = await startHttp2(t, kind, limits, true);
    const client = await scene.dial();
    await scene.reaches("handshaking");
    await passMinutes(scene);
    client.write(Buffer.concat([preface, settings({ 1: 0 })])).get(1, "/silent");
    await until(() => scene.begun.has(1));
    await passMinutes(scene);
    answerAll(scene, 1);
    await client.sees(1, "200 late, ended");
    await scene.reaches("idle");
    await passMinutes(scene);
    client.write(settingsAck).get(3, "/");
    await client.sees(3, "200 0 bytes, ended");
    assert.deepEqual([scene.spared(), scene.endings()], [["handshake-timeout by handshakeTimeout"], []]);
  });

  test(`${kind}: maxConcurrent, maxWaiting: who would have waited or been refused is served at once, and published`, async (t) => {
    const scene = await startHttp2(t, kind, { maxConcurrent: 1, maxWaiting: 1 }, true);
    for (let i = 0; i < 3; i++) await (await scene.dial()).hello().get(1, "/").sees(1, "200 0 bytes, ended");
    assert.equal(scene.managed.connections.size, 3);
    assert.deepEqual(scene.spared(), ["refused by maxConcurrent", "refused by maxWaiting"]);
  });
}
