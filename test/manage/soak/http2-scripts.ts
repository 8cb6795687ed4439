/** Clients of HTTP/2: those that use Node's own, and those that write their frames by hand. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import {
  data,
  frameTypes,
  framesIn,
  goaways,
  ping,
  preface,
  request,
  reset,
  settings,
  settingsAck,
  windowUpdate,
} from "../../support/http2-frames.ts";
import { TcpClient } from "../../support/tcp-client.ts";
import { secured, staysDeaf } from "./script.ts";
import type { GroupName, Script, Visit } from "./script.ts";

const both = ["h2c", "h2"] as const;
const refusedStream = 7;
const cancel = 8;
const internalError = 2;

interface Answer {
  readonly status: number;
  readonly body: string;
  /** The code of the reset, or 0. */
  readonly code: number;
}

/** With a body, the request is a POST that `ends` or does not. */
async function ask(session: ClientHttp2Session, path: string, body?: Buffer | string, ends = true): Promise<Answer> {
  const stream = session.request(
    { ":path": path, ":method": body === undefined ? "GET" : "POST" },
    { endStream: body === undefined },
  );
  if (body !== undefined) stream.write(body);
  if (body !== undefined && ends) stream.end();
  return answered(stream);
}

async function answered(stream: ClientHttp2Stream): Promise<Answer> {
  let status = 0;
  let text = "";
  stream.on("error", () => {});
  stream.on("response", (headers) => (status = headers[":status"] ?? 0));
  stream.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  await new Promise((resolve) => stream.once("close", resolve));
  return { status, body: text, code: stream.rstCode ?? 0 };
}

/** A session of Node's own, which closes when the client has done what it wanted. */
function session(use: (session: ClientHttp2Session) => Promise<void>) {
  return async ({ socket }: Visit): Promise<void> => {
    const session = connect("http://x", { createConnection: () => socket });
    const failures: Error[] = [];
    session.on("error", (error: Error) => failures.push(error));
    await use(session);
    const closed = once(session, "close");
    session.close();
    await closed;
    assert.deepEqual(failures, []);
  };
}

/** A stream that is ended by the server, whose session goes on until the client leaves. */
function cutStream(name: string, group: GroupName, path: string, expected: Partial<Answer>, body?: string): Script {
  return {
    name,
    protocols: both,
    group,
    reason: "client-ended",
    play: session(async (session) => {
      const { status, code } = await ask(session, path, body, false);
      assert.deepEqual({ status, code }, { code: 0, ...expected });
    }),
  };
}

const begin = (values: Record<number, number> = {}): Buffer => Buffer.concat([preface, settings(values), settingsAck]);
const bytesOf = ({ received }: TcpClient): Buffer => Buffer.from(received, "latin1");

/** The body of the first answer, in a frame that ends the stream or does not. */
const firstOk = new RegExp([true, false].map((end) => data(1, "ok", end).toString("latin1")).join("|"));

/** Begins a session by hand, and has one request answered. */
async function handmade({ socket }: Visit): Promise<TcpClient> {
  const client = new TcpClient(socket).write(Buffer.concat([begin(), request(1)]));
  await client.gets(firstOk);
  return client;
}

function resetStreams(from: number, count: number): Buffer[] {
  const ids = Array.from({ length: count }, (_, i) => 2 * (from + i) + 3);
  return ids.flatMap((id) => [request(id), reset(id, cancel)]);
}

function pingAnswers(client: TcpClient): number {
  return framesIn(bytesOf(client)).filter(({ type }) => type === frameTypes.ping).length;
}

/** The last words of the server, and FIN. */
async function seesGoaway(client: TcpClient, code: number): Promise<void> {
  assert.equal(await client.ended, "FIN");
  assert.match(goaways(bytesOf(client)).at(-1) ?? "", new RegExp(`code ${code}$`));
}

const good: Script[] = [
  {
    name: "opens streams, then closes",
    protocols: both,
    reason: "client-ended",
    play: session(async (session) => {
      const answers = await Promise.all([
        ...["/", "/", "/"].map((path) => ask(session, path)),
        ask(session, "/upload", Buffer.alloc(200_000)),
      ]);
      assert.deepEqual(
        answers.map(({ body }) => body),
        ["ok", "ok", "ok", "200000 bytes"],
      );
    }),
  },
  {
    name: "gives a stream up and goes on",
    protocols: both,
    reason: "client-ended",
    play: session(async (session) => {
      const stream = session.request({ ":path": "/begun" });
      const done = answered(stream);
      await once(stream, "response");
      stream.close(cancel);
      await done;
      assert.equal((await ask(session, "/")).body, "ok");
    }),
  },
];

const rude: Script[] = [
  {
    name: "resets the socket in the middle of a stream",
    protocols: both,
    reason: "client-reset",
    play: async (visit) => {
      await new TcpClient(visit.socket).write(Buffer.concat([begin(), request(1, { path: "/begun" })])).gets(/begun/);
      await visit.reset();
    },
  },
  {
    name: "sends no HTTP/2",
    protocols: both,
    reason: "protocol-error",
    play: ({ socket }) => new TcpClient(socket).write(`${"garbage ".repeat(8)}\r\n\r\n`).ended,
  },
  {
    name: "resets each of its streams at once",
    protocols: both,
    reason: "abuse",
    limit: "maxStreamResets",
    play: async (visit) => {
      const client = await handmade(visit);
      // Fewer at a time than may be open, and the next when the server has read them.
      for (let from = 0; from <= 200; from += 50) {
        const acknowledged = pingAnswers(client) + 1;
        client.write(Buffer.concat([...resetStreams(from, 50), ping()]));
        while (pingAnswers(client) < acknowledged && !client.socket.readableEnded) {
          await Promise.race([once(client.socket, "data"), client.ended]);
        }
      }
      await seesGoaway(client, 11);
    },
  },
  {
    name: "opens and resets 3000 streams at once",
    protocols: both,
    reason: "abuse",
    play: async (visit) => {
      const client = await handmade(visit);
      await client.write(Buffer.concat(resetStreams(0, 3000))).ended;
    },
  },
  { ...cutStream("makes the handler throw", "patient", "/throw", { status: 500 }), errors: 1 },
  cutStream("sends too large a body", "patient", "/upload", { status: 413 }, "x".repeat(2 ** 20 + 1)),
];

const slow: Script[] = [
  {
    name: "is silent",
    protocols: both,
    group: "handshake",
    reason: "handshake-timeout",
    raw: true,
    play: ({ socket }) => new TcpClient(socket).ended,
  },
  {
    name: "shakes hands for TLS alone",
    protocols: ["h2"],
    group: "handshake",
    reason: "handshake-timeout",
    raw: true,
    // However far it comes in time.
    play: async ({ socket }) => {
      const client = new TcpClient(secured(socket, "h2"));
      await client.ended;
      client.socket.destroy();
      socket.destroy();
    },
  },
  cutStream("sends half a body", "reading", "/upload", { status: 408 }, "half"),
  {
    name: "goes quiet after a request",
    protocols: both,
    group: "idle",
    reason: "idle-timeout",
    play: async (visit) => seesGoaway(await handmade(visit), 0),
  },
  cutStream("is never answered", "handling", "/never", { status: 503 }),
  cutStream("is answered by half", "sending", "/stall", { status: 200, code: internalError }),
  {
    name: "is deaf",
    protocols: both,
    group: "sending",
    reason: "send-timeout",
    heavy: true,
    play: (visit) => {
      // A window for all of it, so that it is the kernel where it stops.
      const words = [begin({ 4: 2 ** 30 }), windowUpdate(0, 2 ** 30), request(1, { path: "/big" })];
      new TcpClient(visit.socket).write(Buffer.concat(words));
      return staysDeaf(visit);
    },
  },
];

/** A request that is in flight when the drain begins; `sees` checks what came of it. */
function inFlight(name: string, path: string, drain: "finished" | "cut", sees: RegExp): Script {
  return {
    name,
    protocols: both,
    reason: drain === "cut" ? "drain-cut" : "drained",
    drain,
    play: async ({ socket }) => {
      const client = new TcpClient(socket).write(Buffer.concat([begin(), request(1, { path })]));
      await client.ended;
      assert.match(client.received, sees);
      assert.ok(framesIn(bytesOf(client)).every(({ type, payload }) => type !== 3 || payload[3] !== refusedStream));
      assert.match(goaways(bytesOf(client)).at(-1) ?? "", /^last 1, code 0$/);
    },
  };
}

const drained: Script[] = [
  {
    name: "is idle in the drain",
    protocols: both,
    reason: "drained",
    drain: "idle",
    play: async (visit) => seesGoaway(await handmade(visit), 0),
  },
  inFlight("is answered in the drain", "/gate", "finished", /late/),
  inFlight("is not answered in the drain", "/hold", "cut", /^/),
];

export const http2Scripts: readonly Script[] = [...good, ...rude, ...slow, ...drained];
