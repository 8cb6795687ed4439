/**
 * The sending half of one stream: whether the client takes what is written to it, and whether the handler goes on.
 *
 * Node tells how much of a stream waits, write by write, and how much its session has sent in all. So one large write shows
 * no progress of its own: what the session sends counts as progress, until that is so much that a fair share of it would
 * have been all of the write.
 */
import type { ServerHttp2Stream } from "node:http2";
import { streamBytesWritten } from "../../core/node-internals.ts";
import { overfullGrace, sendRateMeter } from "../../connection/budget.ts";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { RateMeter } from "../../limits/rate.ts";
import type { SafetyLimitName, SafetyLimits } from "../../limits/safety-limits.ts";
import { silentTypes } from "../heads.ts";

/** Looks come at least this often; a longer time between two was a pause of ours, in milliseconds. */
export const longestLook = 500;
/** Bytes that a session sends besides the streams. */
const frames = 16_384;

/** What is known of the session as a whole. */
export interface SessionSending {
  /** All bytes that it has handed on so far, and until the last look, but for answers to control frames. */
  readonly sent: number;
  readonly before: number;
  /** Whether the client does not take what has been handed on: that is the connection's to judge. */
  readonly blocked: boolean;
  /** Bytes that wait in all its streams. */
  waiting: number;
  /** Its open streams. */
  readonly streams: number;
}

/** Why a stream is cut, and by which limit. */
export interface Cut {
  readonly reason: CloseReason;
  readonly limit: SafetyLimitName;
}

/** Bytes of a stream that wait: in its own buffer, which still has those on their way, or of a file. */
export function waitingIn(stream: ServerHttp2Stream): number {
  return Math.max(stream.writableLength, stream.bufferSize - stream.writableLength);
}

export class StreamSending {
  readonly #stream: ServerHttp2Stream;
  readonly #limits: SafetyLimits;
  readonly #rate: RateMeter;
  #waiting = -1;
  #written = -1;
  /** What the session had sent when something of this stream moved last. */
  #sentThen = 0;
  /** What it had sent at the last look. */
  #sent = 0;
  /** Milliseconds without any progress, as they were looked at. */
  #still = 0;
  #lookedAt = 0;

  /** @param before what the session had sent before the stream was seen */
  constructor(stream: ServerHttp2Stream, limits: SafetyLimits, before: number) {
    this.#stream = stream;
    this.#limits = limits;
    this.#sent = before;
    this.#rate = sendRateMeter(limits);
  }

  /**
   * Looks again, many times a second.
   * @param owed whether the client still owes us something that the handler waits for
   */
  look(session: SessionSending, owed: boolean, now: number): Cut | null {
    const stream = this.#stream;
    const waiting = waitingIn(stream);
    // Where the writes of a stream are not counted, silence is the silence of the whole session.
    const written = streamBytesWritten(stream) ?? session.sent;
    const elapsed = Math.min(now - this.#lookedAt, longestLook);
    this.#lookedAt = now;
    const fresh = session.sent - this.#sent;
    this.#sent = session.sent;
    const waited = this.#waiting > 0;
    // More that waits is the program's doing.
    const moved = waiting < this.#waiting || written !== this.#written;
    this.#waiting = waiting;
    this.#written = written;
    if (moved) {
      this.#sentThen = session.sent;
      this.#still = 0;
    }
    if (waiting > 0 && waited && !session.blocked) {
      // Of a file that is sent from the disk no amount is known.
      const isShared =
        stream.writableLength === 0 || session.sent - this.#sentThen <= waiting * session.streams + frames;
      return this.#judgeClient(moved || isShared ? fresh : 0, elapsed, session.waiting);
    }
    // No time of the client's; what it took counts.
    this.#rate.observe(moved ? fresh : 0, 0);
    if (session.blocked || moved || waiting > 0 || owed || !stream.headersSent) return null;
    return this.#judgeHandler(elapsed);
  }

  #judgeClient(progress: number, elapsed: number, waiting: number): Cut | null {
    const { responseSendTimeout, maxBufferedBytes } = this.#limits;
    this.#still = progress > 0 ? 0 : this.#still + elapsed;
    if (this.#still >= responseSendTimeout) return { reason: "send-timeout", limit: "responseSendTimeout" };
    const isFast = this.#rate.observe(progress, elapsed);
    if (waiting > maxBufferedBytes && this.#still >= overfullGrace && !this.#rate.isAhead)
      return { reason: "limit", limit: "maxBufferedBytes" };
    return isFast ? null : { reason: "send-rate", limit: "minSendRate" };
  }

  /** It has begun, and everything it wrote was taken. */
  #judgeHandler(elapsed: number): Cut | null {
    const isSilent = !this.#stream.writableEnded && mayBeSilent(this.#stream);
    this.#still = isSilent ? 0 : this.#still + elapsed;
    if (this.#still < this.#limits.responseSendTimeout) return null;
    return { reason: "response-stalled", limit: "responseSendTimeout" };
  }
}

/** Whether silence is no fault on a stream whose response has begun: event streams, and gRPC. */
export function mayBeSilent({ sentHeaders }: ServerHttp2Stream): boolean {
  return silentTypes.test(String(sentHeaders?.["content-type"] ?? ""));
}
