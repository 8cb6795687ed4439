/** The rows of the shutdown matrix about sessions and streams of HTTP/2. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { until } from "../../support/clients.ts";
import { FrameClient } from "../../support/frame-client.ts";
import { request } from "../../support/http2-frames.ts";
import { came, endedAtGrace, endedAtOnce, endedWithWork, grace } from "./stage.ts";
import type { Row, Stage } from "./stage.ts";
import { isSecure } from "./servers.ts";

const http2 = ["h2", "h2c"] as const;

interface Session {
  readonly session: ClientHttp2Session;
  /** The codes and last stream ids of the GOAWAY frames that came. */
  readonly goaways: { code: number; last: number }[];
  readonly closed: Promise<unknown>;
}

/** A session that is still to connect. */
function connectTo(stage: Stage): ClientHttp2Session {
  const scheme = isSecure(stage.protocol) ? "https" : "http";
  return connect(`${scheme}://127.0.0.1:${stage.port}`, { rejectUnauthorized: false });
}

async function dial(stage: Stage): Promise<Session> {
  const session = connectTo(stage);
  stage.after(() => session.destroy());
  const goaways: Session["goaways"] = [];
  session.on("error", () => {}).on("goaway", (code, last) => goaways.push({ code, last }));
  const closed = new Promise((resolve) => session.once("close", resolve));
  await once(session, "remoteSettings");
  return { session, goaways, closed };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly code: number;
}

/** What becomes of a stream, however it ends. */
function answer(stream: ClientHttp2Stream): Promise<Answer> {
  let status = 0;
  let body = "";
  stream.setEncoding("utf8").on("error", () => {});
  stream.on("response", (headers) => (status = Number(headers[":status"])));
  stream.on("data", (data: string) => (body += data));
  return new Promise((resolve) => stream.on("close", () => resolve({ status, body, code: stream.rstCode ?? 0 })));
}

function ask({ session }: Session, path: string): Promise<Answer> {
  return answer(session.request({ ":path": path }));
}

const whole = { status: 200, body: "whole", code: 0 };

/** Whatever comes while the session of a stream in flight drains, the stream is finished, and nobody else is served. */
async function finishesMeanwhile(stage: Stage, come: (client: Session) => Promise<void>): Promise<void> {
  const client = await dial(stage);
  const answered = ask(client, "/after/500");
  await stage.begun(1);
  const draining = stage.drain();
  await come(client);
  assert.deepEqual(await answered, whole);
  came(await draining, { finished: 1 });
  assert.equal(stage.scene.begun, 1);
}

const head = (stream: number): Buffer => request(stream, { path: "/" });
const firstHalf = (stream: number): Buffer => head(stream).subarray(0, 20);
const secondHalf = (stream: number): Buffer => head(stream).subarray(20);

/** A session of which half of a HEADERS frame has come, behind a whole request where there is a path for one. */
async function sendHalfAHead(stage: Stage, stream: number, path?: string): Promise<FrameClient> {
  const client = new FrameClient((await stage.dial()).socket);
  client.hello();
  await stage.settles("idle", 1);
  if (path !== undefined) {
    client.get(1, path);
    await stage.begun(1);
  }
  const [connection] = stage.managed.connections;
  const before = connection?.bytesReceived ?? 0;
  client.write(firstHalf(stream));
  await until(() => (connection?.bytesReceived ?? 0) > before);
  return client;
}

export const http2Rows: readonly Row[] = [
  {
    name: "an idle session gets GOAWAY and ends at once",
    on: http2,
    async play(stage) {
      const client = await dial(stage);
      assert.equal((await ask(client, "/")).body, "ok");
      await stage.settles("idle", 1);
      const outcome = await stage.drain();
      endedAtOnce(outcome);
      came(outcome, { idle: 1 });
      await client.closed;
      assert.deepEqual(client.goaways[0], { code: 0, last: 1 });
    },
  },
  {
    name: "a stream in flight is finished after GOAWAY, and the drain ends then",
    on: http2,
    async play(stage) {
      const client = await dial(stage);
      const answered = ask(client, "/after/600");
      await stage.begun(1);
      const outcome = await stage.drain();
      assert.deepEqual(await answered, whole);
      endedWithWork(outcome, 600);
      came(outcome, { finished: 1 });
      await client.closed;
      assert.deepEqual(client.goaways[0], { code: 0, last: 1 });
    },
  },
  {
    name: "a client that leaves before its stream is answered has not finished",
    on: http2,
    async play(stage) {
      const client = await dial(stage);
      void ask(client, "/never");
      await stage.begun(1);
      setTimeout(() => client.session.destroy(), 200);
      const outcome = await stage.drain();
      endedWithWork(outcome, 200);
      came(outcome, { cut: ["client-ended while handling"] });
    },
  },
  {
    name: "two streams in flight are both finished",
    on: http2,
    async play(stage) {
      const client = await dial(stage);
      const answered = [ask(client, "/after/500"), ask(client, "/begun/300")];
      await stage.begun(2);
      const outcome = await stage.drain();
      assert.deepEqual(await Promise.all(answered), [whole, { ...whole, body: "begun and whole" }]);
      endedWithWork(outcome, 500);
      came(outcome, { finished: 1 });
      await client.closed;
    },
  },
  {
    name: "a second stream on a session that drains is turned away, and the first is finished",
    on: http2,
    play: (stage) =>
      finishesMeanwhile(stage, async (client) => {
        await once(client.session, "goaway");
        // The client of Node says so by an error, thrown or of the stream.
        const late = await Promise.resolve()
          .then(() => ask(client, "/"))
          .catch(() => null);
        assert.notEqual(late?.body, "ok");
      }),
  },
  {
    name: "a stream that is never answered, and one that never ends, are cut at the grace period after GOAWAY",
    on: http2,
    async play(stage) {
      const client = await dial(stage);
      const answered = [ask(client, "/never"), ask(client, "/endless")];
      await stage.begun(2);
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      assert.deepEqual(outcome.cut.length, 1);
      assert.match(outcome.cut[0] ?? "", /^drain-cut while (handling|sending)$/);
      await client.closed;
      assert.deepEqual(client.goaways[0], { code: 0, last: 3 });
      assert.deepEqual(
        (await Promise.all(answered)).map(({ body }) => body),
        ["", "begun"],
      );
    },
  },
  {
    name: "an upload that stalls is cut at the grace period; one that goes on is finished",
    on: http2,
    async play(stage) {
      const [stalled, steady] = [await dial(stage), await dial(stage)];
      const uploads = [stalled, steady].map(({ session }) =>
        session.request({ ":method": "POST", ":path": "/upload" }),
      );
      const answered = uploads.map(answer);
      for (const upload of uploads) upload.write("half");
      await stage.begun(2);
      setTimeout(() => uploads[1]?.end("half"), 200);
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      assert.deepEqual([outcome.finished, outcome.cut.length], [1, 1]);
      assert.match(outcome.cut[0] ?? "", /^drain-cut /);
      assert.deepEqual(await answered[1], { ...whole, body: "8 bytes" });
      await stalled.closed;
    },
  },
  {
    name: "a reader that never reads is cut at the grace period",
    on: http2,
    async play(stage) {
      const client = await dial(stage);
      const stream = client.session.request({ ":path": "/big" });
      const cut = new Promise((resolve) => stream.on("error", resolve).on("close", resolve));
      await Promise.all([stage.begun(1), once(stream, "response")]);
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      assert.equal(outcome.cut.length, 1);
      assert.match(outcome.cut[0] ?? "", /^drain-cut while (handling|sending)$/);
      stream.resume();
      await cut;
      await client.closed;
    },
  },
  {
    name: "half a head has its short chance, and then its session ends with GOAWAY",
    on: http2,
    async play(stage) {
      const client = await sendHalfAHead(stage, 1);
      const outcome = await stage.drain();
      endedWithWork(outcome, grace / 2);
      came(outcome, { cut: ["read-timeout while reading"] });
      assert.equal(await client.ended, "FIN");
      assert.deepEqual([client.fate(1), client.farewells], ["", ["last 1, NO_ERROR"]]);
    },
  },
  {
    name: "half a head that is completed 200 ms later is answered, or refused to be sent again where Node closes sessions by itself, and the drain ends then",
    on: http2,
    async play(stage) {
      const client = await sendHalfAHead(stage, 1);
      setTimeout(() => client.write(secondHalf(1)), 200);
      const outcome = await stage.drain();
      endedWithWork(outcome, 200);
      came(outcome, { finished: 1 });
      assert.equal(await client.ended, "FIN");
      // Since Node 24 a server that is told to close tells its sessions, which take nothing more.
      const isTold = /closeAllSessions/.test(stage.server.close.toString());
      const fate = isTold ? "reset REFUSED_STREAM" : "200 ok, ended";
      assert.deepEqual([client.fate(1), client.farewells], [fate, ["last 1, NO_ERROR"]]);
    },
  },
  {
    name: "half a head that is completed 200 ms later beside a stream in flight is refused, to be sent again, and that one is finished",
    on: http2,
    async play(stage) {
      const client = await sendHalfAHead(stage, 3, "/after/500");
      setTimeout(() => client.write(secondHalf(3)), 200);
      const outcome = await stage.drain();
      endedWithWork(outcome, 500);
      came(outcome, { finished: 1 });
      await client.ended;
      assert.equal(client.fate(1), "200 whole, ended");
      assert.equal(client.fate(3), "reset REFUSED_STREAM");
      assert.deepEqual(client.farewells, ["last 3, NO_ERROR"]);
      assert.equal(stage.scene.begun, 1);
    },
  },
  {
    name: "a new connection while draining is refused",
    on: http2,
    play: (stage) =>
      finishesMeanwhile(stage, async () => {
        const [error] = (await once(connectTo(stage), "error")) as [NodeJS.ErrnoException];
        assert.equal(error.code, "ECONNREFUSED");
      }),
  },
];

/** Rows about servers that had sessions before they were put under a manager. */
export const lateHttp2Rows: readonly Row[] = [
  {
    name: "sessions that were open before are owned like the rest",
    on: http2,
    attachesLate: true,
    async play(stage) {
      const [idle, busy] = [await dial(stage), await dial(stage)];
      assert.equal((await ask(idle, "/")).body, "ok");
      const answered = ask(busy, "/after/400");
      await stage.begun(2);
      stage.attach();
      assert.equal(stage.managed.connections.size, 2);
      const outcome = await stage.drain();
      endedWithWork(outcome, 400);
      came(outcome, { idle: 1, finished: 1 });
      assert.deepEqual(await answered, whole);
      await Promise.all([idle.closed, busy.closed]);
    },
  },
];
