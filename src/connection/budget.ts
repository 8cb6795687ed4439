/**
 * The budget of a connection: whether the client takes what is written to it, and keeps sending what it began.
 *
 * The manager looks at every live connection a few times a second. Time counts only as it was looked at, at most one
 * interval a look, so that a pause of our own never counts against a client. A look at a connection with nothing
 * unsent and nobody waiting costs two property reads.
 */
import type { Writable } from "node:stream";
import { handleQueue } from "../core/node-internals.ts";
import { RateMeter } from "../limits/rate.ts";
import type { SafetyLimits } from "../limits/safety-limits.ts";
import type { CloseReason } from "./close-reason.ts";
import type { Connection } from "./connection.ts";
import { bytesWritten } from "./ports.ts";

/**
 * How long more than `maxBufferedBytes` may wait without any progress that we see, in milliseconds. The kernel takes more of
 * a large write only when a good part of its own buffer, of megabytes at worst, has been taken by the client.
 */
export const overfullGrace = 20_000;

export class Budget {
  readonly #limits: SafetyLimits;
  readonly #sendRate: RateMeter;
  readonly #receiveRate: RateMeter;
  #sent: number;
  #queued: number;
  #received: number;
  #stalled = 0;

  constructor(connection: Connection, limits: SafetyLimits) {
    this.#limits = limits;
    this.#sendRate = new RateMeter(limits.minSendRate);
    this.#receiveRate = new RateMeter(limits.minReceiveRate);
    this.#sent = bytesLeft(connection);
    this.#queued = handleQueue(connection.rawOutput ?? connection.output);
    this.#received = connection.bytesReceived;
  }

  /** Milliseconds until a client that goes on taking nothing has taken nothing for too long. */
  get patience(): number {
    return this.#limits.responseSendTimeout - this.#stalled;
  }

  /** Looks again after `elapsed` milliseconds. @returns why the connection must end, or null. */
  look(connection: Connection, elapsed: number): CloseReason | null {
    return this.#lookAtSending(connection, elapsed) ?? this.#lookAtReceiving(connection, elapsed);
  }

  #lookAtSending(connection: Connection, elapsed: number): CloseReason | null {
    const sent = bytesLeft(connection);
    const queued = handleQueue(connection.rawOutput ?? connection.output);
    const progress = Math.max(0, sent - this.#sent) + Math.max(0, this.#queued - queued);
    this.#sent = sent;
    this.#queued = queued;
    const unsent = connection.unsentBytes;
    if (unsent === 0) {
      this.#stalled = 0;
      this.#sendRate.restart();
      return null;
    }
    this.#stalled = progress > 0 ? 0 : this.#stalled + elapsed;
    if (this.#stalled >= this.#limits.responseSendTimeout) return "send-timeout";
    if (unsent > this.#limits.maxBufferedBytes && this.#stalled >= overfullGrace) return "limit";
    // What is spoken after an upgrade has a pace of its own.
    if (connection.phase === "upgraded") return null;
    return this.#sendRate.observe(progress, elapsed) ? null : "send-rate";
  }

  #lookAtReceiving(connection: Connection, elapsed: number): CloseReason | null {
    const received = connection.bytesReceived;
    const came = received - this.#received;
    this.#received = received;
    if (!connection.waitsForClient || connection.phase === "upgraded") {
      this.#receiveRate.restart();
      return null;
    }
    return this.#receiveRate.observe(came, elapsed) ? null : "receive-rate";
  }
}

/** Bytes that have left the stream's own buffer, or for streams that do not count them, minus those still in it. */
function bytesLeft(connection: Connection): number {
  const { output, rawOutput } = connection;
  return inFlight(output) + (rawOutput === null ? 0 : inFlight(rawOutput));
}

function inFlight(output: Writable): number {
  return bytesWritten(output) - output.writableLength;
}
