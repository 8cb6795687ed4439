/**
 * Limits of HTTP/2 on how many, and how many in so much time: as many as there may be are served, one more ends the session:
 * GOAWAY, the manner of closing, the reason with its limit and phase, and when. Where it is the client's own number that is
 * too high, only the streams beyond it are refused.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import {
  data,
  frame,
  frameTypes,
  ping,
  preface,
  request,
  reset,
  settings,
  settingsAck,
} from "../../support/http2-frames.ts";
import { kinds, settle, until } from "../../protocols/http2/web.ts";
import { answer, isOpen, startHttp2 } from "./http2-scene.ts";
import { endsAs, look, resolution, seesEnd } from "./scene.ts";

interface Count {
  readonly name: string;
  readonly limits: SafetyLimitsOptions;
  /** Before anything is counted. */
  readonly first?: Buffer;
  /** As many as there may be in ten seconds; `from` is a stream that was not used yet. */
  within(from: number): Buffer;
  /** As many more as bring the number over the limit. */
  over(from: number): Buffer;
  /** How long afterwards it may be noticed, in milliseconds. */
  readonly slack: number;
  readonly ending: string;
}

const times = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));

/** Asks, and takes it back. */
const takesBack =
  (count: number, code = 8) =>
  (from: number): Buffer =>
    times(count, (i) => Buffer.concat([request(from + 2 * i, { path: "/silent" }), reset(from + 2 * i, code)]));

/** Within: 900 bytes less than what Node does not show. Over: more than all that is allowed for a session. */
const flood = (name: string, make: () => Buffer, first?: Buffer): Count => ({
  name: `maxControlFrames: ${name}`,
  limits: { maxControlFrames: { count: 200, per: "10s" } },
  ...(first && { first }),
  within: () => times(Math.floor((100 * 9) / make().length), make),
  over: () => times(Math.ceil((400 * 9) / make().length), make),
  slack: look,
  ending: `abuse by maxControlFrames while ${first === undefined ? "idle" : "handling"}`,
});

const counts: readonly Count[] = [
  {
    name: "maxStreamResets: requests that are taken back",
    limits: { maxStreamResets: { count: 20, per: "10s" } },
    within: takesBack(20),
    over: takesBack(1),
    slack: 0,
    ending: "abuse by maxStreamResets while idle",
  },
  {
    name: "maxStreamResets: requests that are taken back with no error",
    limits: { maxStreamResets: { count: 20, per: "10s" } },
    within: takesBack(20, 0),
    over: takesBack(1, 0),
    slack: 0,
    ending: "abuse by maxStreamResets while idle",
  },
  flood("PING", ping),
  flood("PRIORITY", () => frame(frameTypes.priority, { stream: 1, payload: Buffer.from("0000000300", "hex") })),
  flood("frames that nobody knows", () => frame(99)),
  flood("window updates", () => frame(frameTypes.windowUpdate, { payload: Buffer.from("00000001", "hex") })),
  flood("SETTINGS", () => settings()),
  flood("empty DATA", () => data(1, ""), request(1, { path: "/silent", method: "POST", end: false })),
];

const span = 10_000;

/** The beginning of a session without the word that our settings are known. */
const greeting = Buffer.concat([preface, settings({ 1: 0 })]);

for (const kind of kinds) {
  for (const { name, limits, first = Buffer.alloc(0), within, over, slack, ending } of counts) {
    test(`${kind}: ${name}: so many are taken, and as many again later; more is abuse`, async (t) => {
      const scene = await startHttp2(t, kind, {
        ...limits,
        idleTimeout: "1h",
        responseTimeout: "1h",
        requestReadTimeout: "1h",
        minReceiveRate: 0,
      });
      const client = await scene.meet();
      await scene.hears(client, first);
      await scene.pass(look);
      const connection = scene.only();
      for (let round = 0; round < 3; round++) {
        await scene.hears(client, within(101 + 200 * round));
        await scene.pass(look);
        assert.equal(connection.closeReason, null, `round ${round}`);
        isOpen(scene, client);
        if (round < 2) await scene.pass(span);
      }
      await scene.pass(span - 2 * look);
      await scene.hears(client, over(901));
      if (slack > 0) await scene.pass(slack);
      assert.equal(connection.closeReason, "abuse");
      await seesEnd(scene, client, "FIN");
      assert.equal(await client.ended, "FIN");
      assert.equal(client.farewells.length, 1);
      assert.match(client.farewells[0] ?? "", /^last \d+, ENHANCE_YOUR_CALM$/);
      await endsAs(scene, client, ending);
    });
  }

  test(`${kind}: maxRequestsPerConnection: the client is told which request was the last, and all until then are answered`, async (t) => {
    const scene = await startHttp2(t, kind, { maxRequestsPerConnection: 3 });
    const client = await scene.meet();
    client.get(1, "/").get(3, "/");
    await client.sees(3, "200 0 bytes, ended");
    await scene.pass(look);
    assert.deepEqual([scene.only().closeReason, client.farewells], [null, []]);
    client.get(5, "/silent").get(7, "/");
    await until(() => scene.begun.has(5));
    await scene.pass(look);
    assert.deepEqual([scene.only().closeReason, client.farewells], [null, ["last 5, NO_ERROR"]]);
    isOpen(scene, client);
    scene.begun.get(5)?.respond({ ":status": 200 }, { endStream: true });
    await seesEnd(scene, client, "FIN");
    assert.equal(await client.ended, "FIN");
    assert.deepEqual(
      [5, 7].map((stream) => client.fate(stream)),
      ["200, ended", ""],
    );
    assert.deepEqual(client.farewells, ["last 5, NO_ERROR"]);
    await endsAs(scene, client, "limit by maxRequestsPerConnection while sending");
  });

  test(`${kind}: maxStreamResets: GOAWAY comes before the end of the streams in flight, so that it is not lost`, async (t) => {
    const scene = await startHttp2(t, kind, { maxStreamResets: 0 });
    const client = await scene.meet();
    for (const id of [1, 3, 5]) client.get(id, "/silent");
    await until(() => scene.begun.size === 3);
    client.write(takesBack(1)(7));
    await seesEnd(scene, client, "FIN");
    assert.equal(await client.ended, "FIN");
    assert.deepEqual(client.farewells, ["last 7, ENHANCE_YOUR_CALM"]);
    await endsAs(scene, client, "abuse by maxStreamResets while handling");
  });

  test(`${kind}: maxConcurrentStreams: until a client knows how many, one more is refused, and the others are answered`, async (t) => {
    const scene = await startHttp2(t, kind, { maxConcurrentStreams: 3 });
    const client = await scene.dial();
    client.write(greeting);
    for (const id of [1, 3, 5, 7]) client.get(id, "/silent");
    await client.sees(7, "reset REFUSED_STREAM");
    assert.deepEqual([...scene.begun.keys()], [1, 3, 5]);
    await scene.pass(look);
    client.write(settingsAck);
    isOpen(scene, client);
    for (const stream of scene.begun.values()) answer(stream, "ok");
    for (const id of [1, 3, 5]) await client.sees(id, "200 ok, ended");
    client.get(9, "/");
    await client.sees(9, "200 0 bytes, ended");
    await scene.reaches("idle");
    assert.deepEqual([scene.cuts(), client.farewells], [[], []]);
  });

  test(`${kind}: maxConcurrentStreams: hundreds more before a client knows how many are abuse`, async (t) => {
    const scene = await startHttp2(t, kind, { maxConcurrentStreams: 3 });
    const client = await scene.dial();
    client.write(Buffer.concat([greeting, times(300, (i) => request(2 * i + 1, { path: "/silent" }))]));
    await client.sees(599, "reset REFUSED_STREAM");
    assert.deepEqual([...scene.begun.keys()], [1, 3, 5]);
    await scene.pass(look);
    await seesEnd(scene, client, "FIN");
    assert.equal(await client.ended, "FIN");
    assert.deepEqual(client.farewells, ["last 5, ENHANCE_YOUR_CALM"]);
    // A head that is refused is one that nobody is told of.
    await endsAs(scene, client, "abuse by maxControlFrames while handling");
  });

  test(`${kind}: maxConcurrentStreams: one more from a client that knows ends its session`, async (t) => {
    const scene = await startHttp2(t, kind, { maxConcurrentStreams: 3 });
    const client = await scene.meet();
    for (const id of [1, 3, 5]) client.get(id, "/silent");
    await until(() => scene.begun.size === 3);
    await scene.pass(look);
    assert.equal(scene.only().closeReason, null);
    isOpen(scene, client);
    client.get(7, "/silent");
    await seesEnd(scene, client, "FIN");
    assert.equal(await client.ended, "FIN");
    // nghttp2 finds it, Node says so: with this code on newer Nodes, and over TLS on Node 20 not at all.
    for (const told of client.farewells) assert.match(told, /^last 5, (PROTOCOL|INTERNAL)_ERROR$/);
    assert.equal(scene.begun.size, 3);
    await endsAs(scene, client, "protocol-error by null while handling");
  });

  test(`${kind}: maxConnectionAge: the response in flight is finished, and nothing more is begun`, async (t) => {
    const scene = await startHttp2(t, kind, { maxConnectionAge: "10s" });
    const client = await scene.meet();
    client.get(1, "/silent");
    await scene.reaches("handling");
    await scene.pass(8900);
    assert.deepEqual(client.farewells, []);
    await scene.pass(2200 + look);
    assert.deepEqual(client.farewells, ["last 1, NO_ERROR"]);
    assert.equal(scene.only().closeReason, null);
    client.get(3, "/");
    await settle();
    const [stream] = scene.begun.values();
    assert.ok(stream !== undefined);
    answer(stream, "late");
    await seesEnd(scene, client, "FIN");
    assert.equal(await client.ended, "FIN");
    assert.deepEqual(
      [1, 3].map((id) => client.fate(id)),
      ["200 late, ended", ""],
    );
    await endsAs(scene, client, "max-age by maxConnectionAge while sending");
  });

  test(`${kind}: lingerTimeout: a client that says no FIN after GOAWAY is let go then`, async (t) => {
    const scene = await startHttp2(t, kind, { maxStreamResets: 0, lingerTimeout: "3s" });
    const client = await scene.meet();
    await scene.hears(client, takesBack(1)(1));
    await seesEnd(scene, client, "FIN");
    const [connection] = scene.managed.connections;
    assert.equal(connection?.phase, "draining");
    await scene.pass(3000 - 1);
    assert.equal(connection.phase, "draining", "it still reads and throws away");
    await scene.pass(resolution);
    await until(() => connection.phase === "closed");
    assert.deepEqual(scene.endings(), ["abuse by maxStreamResets while idle"]);
  });
}
