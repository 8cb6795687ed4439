/**
 * The sending half of one stream: whether the client takes what is written to it, and whether the handler goes on.
 *
 * Node tells how much of a stream waits, write by write, and how much its session has sent in all. So one large write shows
 * no progress of its own: while the session sends enough it counts as moving, until the session has sent so much that a
 * fair share of it would have been all of the write.
 */
import type { ServerHttp2Stream } from "node:http2";
import { streamBytesWritten } from "../../core/node-internals.ts";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { SafetyLimitName, SafetyLimits } from "../../limits/safety-limits.ts";
import { silentTypes } from "../heads.ts";

/** Looks come at least this often; a longer time between two was a pause of ours, in milliseconds. */
const longestLook = 500;
/** How long more than `maxBufferedBytes` may wait without any progress, in milliseconds. */
const overfullGrace = 5000;
/** Bytes that a session sends besides the streams. */
const frames = 16_384;

/** What is known of the session as a whole. */
export interface SessionSending {
  /** All bytes that it has handed on so far. */
  readonly sent: number;
  /** Whether the client does not take what has been handed on: that is the connection's to judge. */
  readonly blocked: boolean;
  /** Bytes that wait in all its streams. */
  readonly waiting: number;
  /** Its open streams. */
  readonly streams: number;
}

/** Why a stream is cut, and by which limit. */
export interface Cut {
  readonly reason: CloseReason;
  readonly limit: SafetyLimitName;
}

export class StreamSending {
  readonly #stream: ServerHttp2Stream;
  #waiting = -1;
  #written = -1;
  /** What the session had sent when something of this stream moved last. */
  #sentThen = 0;
  /** Milliseconds since then, as they were looked at. */
  #still = 0;
  #lookedAt = 0;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  /**
   * Looks again, many times a second.
   * @param owed whether the client still owes us something that the handler waits for
   */
  look(session: SessionSending, owed: boolean, now: number, limits: SafetyLimits): Cut | null {
    const stream = this.#stream;
    const waiting = stream.bufferSize;
    // Where the writes of a stream are not counted, silence is the silence of the whole session.
    const written = streamBytesWritten(stream) ?? session.sent;
    const elapsed = Math.min(now - this.#lookedAt, longestLook);
    this.#lookedAt = now;
    if (waiting !== this.#waiting || written !== this.#written) {
      this.#waiting = waiting;
      this.#written = written;
      this.#sentThen = session.sent;
      this.#still = 0;
      return null;
    }
    if (session.blocked || (waiting === 0 && (owed || !stream.headersSent))) return null;
    this.#still += elapsed;
    return waiting > 0 ? this.#judgeClient(session, limits) : this.#judgeHandler(limits);
  }

  #judgeClient(session: SessionSending, limits: SafetyLimits): Cut | null {
    const { minSendRate, responseSendTimeout, maxBufferedBytes } = limits;
    const moved = session.sent - this.#sentThen;
    const enough = Math.max(1, (minSendRate.bytesPerSecond * this.#still) / 1000);
    if (moved >= enough && moved <= this.#waiting * session.streams + frames) return null;
    if (this.#still >= responseSendTimeout) return { reason: "send-timeout", limit: "responseSendTimeout" };
    if (minSendRate.bytesPerSecond > 0 && this.#still >= minSendRate.grace) {
      return { reason: "send-rate", limit: "minSendRate" };
    }
    if (session.waiting > maxBufferedBytes && this.#still >= overfullGrace) {
      return { reason: "limit", limit: "maxBufferedBytes" };
    }
    return null;
  }

  /** It has begun, and everything it wrote was taken. */
  #judgeHandler({ responseSendTimeout }: SafetyLimits): Cut | null {
    if (this.#still < responseSendTimeout) return null;
    if (!this.#stream.writableEnded && mayBeSilent(this.#stream)) return null;
    return { reason: "response-stalled", limit: "responseSendTimeout" };
  }
}

/** Whether silence is no fault on a stream whose response has begun: event streams, and gRPC. */
export function mayBeSilent({ sentHeaders }: ServerHttp2Stream): boolean {
  return silentTypes.test(String(sentHeaders?.["content-type"] ?? ""));
}
