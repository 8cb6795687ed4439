/**
 * Limits of HTTP/2 that end a whole session: what its client is told, the manner of closing, the reason with its limit and
 * phase, and when: not before the deadline, and at it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import type { FrameClient } from "../../support/frame-client.ts";
import { frame, frameTypes, preface, request, settings } from "../../support/http2-frames.ts";
import { kinds } from "../../protocols/http2/web.ts";
import { startHttp2 } from "./http2-scene.ts";
import type { Http2Scene } from "./http2-scene.ts";
import { endsAfter, endsAs, look, resolution, seesEnd } from "./scene.ts";

interface Deadline {
  readonly name: string;
  readonly limits: SafetyLimitsOptions;
  /** Brings a client of whom nothing has come to where the deadline counts. */
  begin(client: FrameClient, scene: Http2Scene): Promise<unknown>;
  /** Milliseconds from then. */
  readonly after: number;
  /** How much later it may act. @default resolution */
  readonly slack?: number;
  /** GOAWAY, with the last stream that was served. */
  readonly told: string;
  /** What came of each stream. */
  readonly fates?: Readonly<Record<number, string>>;
  readonly ending: string;
}

async function asks(client: FrameClient, scene: Http2Scene): Promise<void> {
  client.hello().get(1, "/").get(3, "/");
  await client.sees(3, "200 0 bytes, ended");
  await scene.reaches("idle");
}

const handshake = { limits: { handshakeTimeout: "2s", idleTimeout: "1h" }, after: 2000 };
const handshakeEnding = "handshake-timeout by handshakeTimeout while handshaking";

const deadlines: readonly Deadline[] = [
  {
    ...handshake,
    name: "handshakeTimeout: a client that says nothing",
    begin: (client, scene) => scene.hears(client, Buffer.alloc(0)),
    told: "last 0, SETTINGS_TIMEOUT",
    ending: handshakeEnding,
  },
  {
    ...handshake,
    name: "handshakeTimeout: half a preface",
    begin: (client, scene) => scene.hears(client, preface.subarray(0, 10)),
    told: "last 0, SETTINGS_TIMEOUT",
    ending: handshakeEnding,
  },
  {
    ...handshake,
    name: "handshakeTimeout: a preface without settings",
    begin: (client, scene) => scene.hears(client, preface),
    told: "last 0, SETTINGS_TIMEOUT",
    ending: handshakeEnding,
  },
  {
    ...handshake,
    name: "handshakeTimeout: our settings are not acknowledged",
    begin: (client, scene) => scene.hears(client, Buffer.concat([preface, settings()])),
    told: "last 0, SETTINGS_TIMEOUT",
    ending: handshakeEnding,
  },
  {
    ...handshake,
    name: "handshakeTimeout: a request that was answered does not excuse it",
    async begin(client, scene) {
      await scene.hears(client, Buffer.concat([preface, settings({ 1: 0 }), request(1)]));
      await client.sees(1, "200 0 bytes, ended");
      await scene.reaches("idle");
    },
    told: "last 1, SETTINGS_TIMEOUT",
    fates: { 1: "200 0 bytes, ended" },
    ending: "handshake-timeout by handshakeTimeout while idle",
  },
  {
    name: "idleTimeout: a client that has never asked",
    limits: { idleTimeout: "2s" },
    async begin(client, scene) {
      client.hello();
      await scene.reaches("idle");
    },
    after: 2000,
    told: "last 0, NO_ERROR",
    ending: "idle-timeout by idleTimeout while idle",
  },
  {
    name: "idleTimeout: where a handshake may take for ever",
    limits: { idleTimeout: "2s", handshakeTimeout: Infinity },
    async begin(client, scene) {
      client.hello();
      await scene.reaches("idle");
    },
    after: 2000,
    told: "last 0, NO_ERROR",
    ending: "idle-timeout by idleTimeout while idle",
  },
  {
    name: "idleTimeout: from the last answer on",
    limits: { idleTimeout: "2s" },
    async begin(client, scene) {
      client.hello().get(1, "/silent");
      await scene.reaches("handling");
      await scene.pass(5000);
      scene.begun.get(1)?.respond({ ":status": 200 }, { endStream: true });
      await client.sees(1, "200, ended");
      await scene.reaches("idle");
    },
    after: 2000,
    told: "last 1, NO_ERROR",
    fates: { 1: "200, ended" },
    ending: "idle-timeout by idleTimeout while idle",
  },
  {
    name: "idleTimeout: half a head is no request, since no event tells of it",
    limits: { idleTimeout: "2s", requestReadTimeout: "1s" },
    async begin(client, scene) {
      await asks(client, scene);
      const head = request(5).subarray(9);
      await scene.hears(client, frame(frameTypes.headers, { stream: 5, flags: 1, payload: head }));
    },
    after: 2000,
    told: "last 5, NO_ERROR",
    ending: "idle-timeout by idleTimeout while idle",
  },
  {
    name: "maxConnectionAge: while idle",
    limits: { maxConnectionAge: "10s" },
    begin: asks,
    // Jittered by a tenth.
    after: 9000,
    slack: 2000 + look,
    told: "last 3, NO_ERROR",
    fates: { 1: "200 0 bytes, ended" },
    ending: "max-age by maxConnectionAge while idle",
  },
];

for (const kind of kinds) {
  for (const { name, limits, begin, after, slack, told, fates = {}, ending } of deadlines) {
    test(`${kind}: ${name}: GOAWAY, and closed`, async (t) => {
      const scene = await startHttp2(t, kind, limits);
      const client = await scene.dial();
      await begin(client, scene);
      const connection = scene.only();
      await endsAfter(scene, connection, after, slack ?? resolution);
      await seesEnd(scene, client, "FIN");
      assert.equal(await client.ended, "FIN");
      assert.deepEqual(client.farewells, [told]);
      for (const [stream, fate] of Object.entries(fates)) assert.equal(client.fate(Number(stream)), fate);
      await endsAs(scene, client, ending);
    });
  }
}
