/**
 * An HTTP/2 server under a manager with limits, clear or over TLS, on a clock moved by hand; clients of it that say frame by
 * frame what they are told; and how streams are cut.
 */
import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import type { TestContext } from "node:test";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import type { Connection } from "../../../src/connection/connection.ts";
import { requestOf } from "../../../src/index.ts";
import { FrameClient } from "../../support/frame-client.ts";
import { kernelIsMute, seenByClient } from "../../support/kernel.ts";
import { connectTo } from "../../support/tcp-client.ts";
import { settle, startWeb, until } from "../../protocols/http2/web.ts";
import type { Kind, Web } from "../../protocols/http2/web.ts";
import { listenForEndings, listenForSpared, onlyOne, resolution, secureSocket } from "./scene.ts";
import type { ObservedStage } from "./scene.ts";

export interface Http2Scene extends Web, ObservedStage {
  readonly kind: Kind;
  /** Streams that the handler has begun, by their ids. */
  readonly begun: ReadonlyMap<number, ServerHttp2Stream>;
  /** A client that has shaken hands of TLS, where there is any, and has said nothing of HTTP/2. */
  dial(): Promise<FrameClient>;
  /** A client that has begun its session, with settings of its own. */
  meet(settings?: Record<number, number>): Promise<FrameClient>;
  /** The client of the one connection says something, and the server has heard it. */
  hears(client: FrameClient, bytes: Buffer): Promise<void>;
  /** The one connection there is. */
  only(): Connection;
  /** Waits until the one connection is in a phase. */
  reaches(phase: string): Promise<void>;
}

/** More than any window or kernel takes for a client that does not read. */
const big = Buffer.alloc(32 * 2 ** 20);
/** More than a window. */
export const large: Buffer = Buffer.alloc(3 * 2 ** 20);

/** What each path does; nothing special, as a program would. */
const handlers: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
  "/silent": (stream) => void stream.resume(),
  "/stalls": (stream) => {
    stream.respond({ ":status": 200 });
    stream.resume().write("begun");
  },
  "/events": (stream) => goesOn(stream, "text/event-stream"),
  "/grpc": (stream) => goesOn(stream, "application/grpc+proto"),
  "/large": (stream) => answer(stream, large),
  "/big": (stream) => answer(stream, big),
  "/moved": (stream) => {
    requestOf(stream).resetTimeout("2s");
    stream.respond({ ":status": 200 });
    stream.write("begun");
  },
  "/unread": () => {},
};

function goesOn(stream: ServerHttp2Stream, type: string): void {
  stream.respond({ ":status": 200, "content-type": type });
  stream.resume().write("first");
}

/** Answers with the length of what has come, when it has come. */
function measure(stream: ServerHttp2Stream): void {
  let length = 0;
  stream.on("data", (chunk: Buffer) => (length += chunk.length));
  stream.on("end", () => answer(stream, `${length} bytes`));
}

export function answer(stream: ServerHttp2Stream, body: string | Buffer): void {
  stream.respond({ ":status": 200 });
  stream.end(body);
}

export async function startHttp2(
  t: TestContext,
  kind: Kind,
  limits: SafetyLimitsOptions = {},
  observeOnly = false,
): Promise<Http2Scene> {
  const begun = new Map<number, ServerHttp2Stream>();
  const web = await startWeb(
    t,
    kind,
    (stream, headers) => {
      begun.set(stream.id ?? 0, stream);
      (handlers[headers[":path"] ?? ""] ?? measure)(stream);
    },
    { limits, observeOnly },
  );
  const only = (): Connection => onlyOne(web.managed.connections);
  const reaches = (phase: string): Promise<void> =>
    until(() => web.managed.connections.size === 1 && only().phase === phase);
  const dial = async (): Promise<FrameClient> => {
    const socket = kind === "h2" ? await secureSocket(t, web.port, "h2") : (await connectTo(t, web.port)).socket;
    return new FrameClient(socket);
  };
  return {
    ...web,
    kind,
    begun,
    dial,
    async meet(settings = {}) {
      const client = (await dial()).hello(settings);
      await reaches("idle");
      return client;
    },
    async hears(client, bytes) {
      await until(() => web.managed.connections.size === 1);
      const connection = only();
      // Of a handshake of TLS nothing is counted.
      if (kind === "h2") await until(() => connection.raw !== null);
      const before = connection.bytesReceived;
      client.write(bytes);
      await until(() => connection.closeReason !== null || connection.bytesReceived >= before + bytes.length);
      await settle();
    },
    only,
    reaches,
    endings: listenForEndings(t, web.clock),
    spared: listenForSpared(t, web.clock),
  };
}

/** A stream is cut `after` milliseconds from now, not before, and at most `slack` later: as `cut` says, and no other. */
export async function cutsAfter({ clock, cuts }: Http2Scene, cut: string, after: number, slack: number): Promise<void> {
  if (after > 0) clock.advance(after - 1);
  await settle();
  if (after > 0) assert.deepEqual(cuts(), [], "not before its time");
  for (let late = 0; late <= slack && cuts().length === 0; late += resolution) {
    clock.advance(resolution);
    await settle();
  }
  assert.deepEqual(cuts(), [cut]);
}

/** The client's kernel knows of no end. */
export function isOpen({ port }: Http2Scene, client: FrameClient): void {
  if (kernelIsMute === false) assert.equal(seenByClient(client.socket.localPort ?? 0, port), "open");
}
