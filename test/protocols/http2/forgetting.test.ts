/**
 * A session that lives as long as its client keeps nothing of the streams that it had, however they ended.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createSecureServer, createServer } from "node:http2";
import type { ClientHttp2Session, Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { custodianOf, manage, requestOf } from "../../../src/index.ts";
import type { Managed } from "../../../src/manage/managed.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { certificate } from "../../support/certificate.ts";
import { pass } from "../../support/rounds.ts";
import { ask, kinds, openSession, settle, until } from "./web.ts";
import type { Asked, Kind } from "./web.ts";
import { skip, survivors } from "../../support/survivors.ts";

const count = 30;

interface Way {
  /** What the program does; without it, no program ever hears of the stream. */
  serve?: (stream: ServerHttp2Stream) => void;
  /** With the compatibility API. */
  answer?: (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  headers?: Record<string, string>;
  /** What the client does once it has asked. */
  follow?: (asked: Asked, clock: ManualClock) => unknown;
}

const post = { ":path": "/", ":method": "POST" };

function ok(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200 });
  stream.end("ok");
}

function begin(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200 });
  stream.write("begun");
}

/** The client has seen the response begin, and wants no more. */
async function reset({ stream, status }: Asked): Promise<void> {
  if (status === undefined) await new Promise((resolve) => stream.once("response", resolve));
  stream.close(8);
}

const ways: Record<string, Way> = {
  "were answered": { serve: ok },
  "were answered, and whose custodians were asked for": {
    serve(stream) {
      custodianOf(stream).defer(() => {});
      requestOf(stream).resetTimeout("1m");
      ok(stream);
    },
  },
  "were answered through the compatibility API": {
    answer(request, response) {
      custodianOf(request).setTimeout(() => {}, "1h");
      response.end("ok");
    },
  },
  "had a timeout of the program's own": {
    serve(stream) {
      stream.setTimeout(3_600_000, () => {});
      ok(stream);
    },
  },
  "were given up by the client, and had a timeout of the program's own": {
    serve(stream) {
      stream.setTimeout(3_600_000, () => {});
      begin(stream);
    },
    follow: reset,
  },
  "were asked for their custodian when they had ended": {
    serve(stream) {
      stream.once("close", () => void custodianOf(stream).signal);
      ok(stream);
    },
  },
  "had a body that was read": {
    serve: (stream) => void stream.resume().once("end", () => ok(stream)),
    headers: post,
    follow: ({ stream }) => stream.end("body"),
  },
  "had a body that nobody read": { serve: ok, headers: post, follow: ({ stream }) => stream.end("body") },
  "were given up by the client without an error, while the program took nothing of their body": {
    serve: (stream) => stream.pause(),
    headers: post,
    async follow({ stream }, clock) {
      stream.write("half a body");
      stream.close(0);
      await once(stream, "close");
      await pass(clock, 1000);
    },
  },
  "had a body that never came whole": {
    serve: (stream) => stream.resume(),
    headers: post,
    async follow({ stream }, clock) {
      stream.write("half");
      await settle();
      await pass(clock, 61_000);
    },
  },
  "had trailers": {
    serve(stream) {
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers({ after: "all" }));
      stream.end("ok");
    },
  },
  "pushed others": {
    serve(stream) {
      stream.pushStream({ ":path": "/pushed" }, (error, pushed) => {
        if (error === null) ok(pushed);
        ok(stream);
      });
    },
  },
  "the client reset": { serve: begin, follow: reset },
  "the client reset, and whose custodians were asked for": {
    serve(stream) {
      custodianOf(stream).use(stream);
      begin(stream);
    },
    follow: reset,
  },
  "the client reset, through the compatibility API": {
    answer: (_request, response) => void response.write("begun"),
    follow: reset,
  },
  "the program destroyed": { serve: (stream) => stream.destroy(new Error("the program's")) },
  "were refused for their head": { serve: ok, headers: { ":path": "/", long: "x".repeat(9000) } },
  "were refused for their body": {
    serve: (stream) => stream.resume(),
    headers: post,
    follow: ({ stream }) => stream.end(Buffer.alloc(2000)),
  },
  "were cut by the deadline of their response": {
    serve: () => {},
    async follow(_asked, clock) {
      await settle();
      await pass(clock, 61_000);
    },
  },
  "were cut by a deadline of their own": {
    serve(stream) {
      requestOf(stream).resetTimeout("1s");
      begin(stream);
    },
    follow: async (asked, clock) => {
      await new Promise((resolve) => asked.stream.once("response", resolve));
      await pass(clock, 1100);
    },
  },
};

interface Session {
  managed: Managed;
  clock: ManualClock;
  client: ClientHttp2Session;
  /** Every stream that the client has opened, as the server has it. */
  streams: WeakRef<object>[];
}

/** One session with a server of which nobody gathers the events: they have streams in them. */
async function open(t: TestContext, kind: Kind, { serve, answer }: Way): Promise<Session> {
  const server = kind === "h2" ? createSecureServer(await certificate()) : createServer();
  const clock = new ManualClock();
  const streams: WeakRef<object>[] = [];
  const safetyLimits = { maxRequestBodyLength: 1000, idleTimeout: Infinity, maxStreamResets: Infinity };
  const managed = manage(server, { clock, safetyLimits, onError: () => {} });
  // What is refused no listener of the program hears of.
  server.on("session", (session) => {
    const emit = session.emit as (...args: unknown[]) => boolean;
    session.emit = ((...args: unknown[]): boolean => {
      if (args[0] === "stream") streams.push(new WeakRef(args[1] as object));
      return Reflect.apply(emit, session, args);
    }) as typeof session.emit;
  });
  if (serve !== undefined) server.on("stream", serve);
  if (answer !== undefined) server.on("request", answer);
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(async () => {
    await managed.close();
    server.close();
  });
  const client = await openSession(t, kind, (server.address() as AddressInfo).port);
  await until(() => managed.connections.countByPhase().idle === 1);
  return { managed, clock, client, streams };
}

/** One stream after the other, in this way. */
async function drive(session: Session, { headers = { ":path": "/" }, follow }: Way): Promise<void> {
  for (let i = 0; i < count; i++) {
    const asked = ask(session.client, headers);
    await Promise.all([follow?.(asked, session.clock), asked.answered]);
  }
  await until(() => session.managed.connections.countByPhase().idle === 1);
}

for (const kind of kinds) {
  for (const [how, way] of Object.entries(ways)) {
    test(`${kind}: a session that goes on keeps no streams that ${how}`, { skip }, async (t) => {
      const session = await open(t, kind, way);
      await drive(session, way);
      await settle();
      const { streams, managed } = session;
      assert.equal(streams.length, count);
      assert.equal(await survivors(streams), 0);
      for (const connection of managed.connections) assert.deepEqual(connection.custodian.children(), []);
    });
  }
}
