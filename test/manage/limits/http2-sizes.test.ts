/**
 * Limits of size and number of one request of HTTP/2: what is just within is served, what is just over is refused at once
 * with its status, before the program hears of it, and its session lives.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import { data, request } from "../../support/http2-frames.ts";
import { kinds, until } from "../../protocols/http2/web.ts";
import { isOpen, startHttp2 } from "./http2-scene.ts";
import { endsAs } from "./scene.ts";

/** The frames of a request on a stream. */
type Say = (stream: number) => Buffer;

interface Size {
  readonly name: string;
  readonly limits: SafetyLimitsOptions;
  /** A whole request that is within the limit, and the same with a little more. */
  readonly within: Say;
  readonly over: Say;
  readonly fate: string;
  readonly cut: string | null;
  /** Whether the program hears of it. */
  readonly isBegun?: boolean;
}

/** A method and a path of so many bytes: what HTTP/2 has in the place of a request line. */
const line =
  (length: number): Say =>
  (stream) =>
    request(stream, { path: `/${"a".repeat(length - "GET/".length)}` });

/** So many headers, those of HTTP/2 itself not counted. */
const headers =
  (count: number): Say =>
  (stream) =>
    request(stream, { headers: Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, "v"])) });

/** A header that is so long as a line of HTTP/1.1. */
const header =
  (length: number): Say =>
  (stream) =>
    request(stream, { headers: { long: "a".repeat(length - "long: ".length) } });

/** A body in pieces of so many bytes, with a head that says how many or not. */
const body =
  (pieces: readonly number[], more: Record<string, string> = {}): Say =>
  (stream) =>
    Buffer.concat([
      request(stream, { method: "POST", end: false, headers: more }),
      ...pieces.map((length, i) => data(stream, "x".repeat(length), i === pieces.length - 1)),
    ]);

const announced = (length: number): Say => body([length], { "content-length": `${length}` });

const sizes: readonly Size[] = [
  {
    name: "maxRequestLineLength",
    limits: { maxRequestLineLength: 100 },
    within: line(100),
    over: line(101),
    fate: "414, ended",
    cut: "limit by maxRequestLineLength while handling",
  },
  {
    name: "maxRequestHeaders",
    limits: { maxRequestHeaders: 5 },
    within: headers(5),
    over: headers(6),
    fate: "431, ended",
    cut: "limit by maxRequestHeaders while handling",
  },
  {
    name: "maxRequestHeaders, at its default",
    limits: {},
    within: headers(100),
    over: headers(101),
    fate: "431, ended",
    cut: "limit by maxRequestHeaders while handling",
  },
  {
    name: "maxRequestHeaders, many times over, which Node refuses by itself",
    limits: { maxRequestHeaders: 5 },
    within: headers(5),
    over: headers(1500),
    fate: "reset ENHANCE_YOUR_CALM",
    cut: null,
  },
  {
    name: "maxRequestHeaderLength",
    limits: { maxRequestHeaderLength: 100 },
    within: header(100),
    over: header(101),
    fate: "431, ended",
    cut: "limit by maxRequestHeaderLength while handling",
  },
  {
    name: "maxRequestBodyLength by content-length",
    limits: { maxRequestBodyLength: 100 },
    within: announced(100),
    over: announced(101),
    fate: "413, ended",
    cut: "limit by maxRequestBodyLength while handling",
  },
  {
    name: "maxRequestBodyLength by content-length, before any of it has come",
    limits: { maxRequestBodyLength: 100 },
    within: announced(0),
    over: (stream) => request(stream, { method: "POST", end: false, headers: { "content-length": "101" } }),
    fate: "413, ended, reset NO_ERROR",
    cut: "limit by maxRequestBodyLength while handling",
  },
  {
    name: "maxRequestBodyLength by counting",
    limits: { maxRequestBodyLength: 100 },
    within: body([60, 40]),
    over: body([60, 41]),
    fate: "413, ended",
    cut: "limit by maxRequestBodyLength while handling",
    isBegun: true,
  },
  {
    name: "maxRequestBodyLength by counting, before the body has ended",
    limits: { maxRequestBodyLength: 100 },
    within: body([60, 40]),
    over: (stream) => body([60, 41, 5])(stream).subarray(0, -(9 + 5)),
    fate: "413, ended, reset NO_ERROR",
    cut: "limit by maxRequestBodyLength while handling",
    isBegun: true,
  },
];

for (const kind of kinds) {
  for (const { name, limits, within, over, fate, cut, isBegun = false } of sizes) {
    test(`${kind}: ${name}: within it is served, over it is refused, and its session lives`, async (t) => {
      const scene = await startHttp2(t, kind, limits);
      const client = await scene.meet();
      client.write(within(1));
      await until(() => client.fate(1) !== "");
      assert.match(client.fate(1), /^200 \d+ bytes, ended$/);
      client.write(over(3));
      await client.sees(3, fate);
      assert.equal(scene.clock.now(), 0, "at once");
      client.write(within(5));
      await client.sees(5, client.fate(1));
      assert.deepEqual([client.fate(3), client.farewells], [fate, []]);
      assert.deepEqual([...scene.begun.keys()], isBegun ? [1, 3, 5] : [1, 5]);
      assert.deepEqual(scene.cuts(), cut === null ? [] : [cut]);
      await scene.reaches("idle");
      isOpen(scene, client);
      await endsAs(scene, client, "client-ended by null while idle");
    });
  }

  for (const type of [
    "multipart/form-data; boundary=x",
    "multipart/mixed",
    "application/grpc",
    "application/grpc+proto",
  ]) {
    test(`${kind}: maxRequestBodyLength is not about ${type}`, async (t) => {
      const scene = await startHttp2(t, kind, { maxRequestBodyLength: 100 });
      const client = await scene.meet();
      client.write(body([5000], { "content-type": type, "content-length": "5000" })(1));
      await client.sees(1, "200 5000 bytes, ended");
      assert.deepEqual(scene.cuts(), []);
    });
  }
}
