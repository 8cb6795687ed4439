/**
 * How a client gets on with what is sent to it, as far as anybody can tell: what leaves the process, and between those
 * moments, which may be megabytes apart, what its kernel acknowledges to ours.
 */
import type { Writable } from "node:stream";
import { Socket } from "node:net";
import { handleQueue } from "../core/node-internals.ts";
import type { Connection } from "./connection.ts";
import type { KernelTable } from "./kernel-table.ts";
import { bytesWritten } from "./ports.ts";

export class ClientProgress {
  #left: number;
  #queued: number;
  /** What the kernel held when it was asked last; -1 where more has left the process since. */
  #unacknowledged = -1;
  /** Bytes that were acknowledged since the last look, and those that were before they are seen to make room. */
  #acknowledged = 0;
  #ahead = 0;
  #asking = false;
  /** Whether what the kernel held at first is counted as taken; and how much of that there was, once it has said so. */
  #isGenerous = true;
  #excess = 0;

  constructor(connection: Connection) {
    this.#left = bytesLeft(connection);
    this.#queued = queueOf(connection);
  }

  /** Whether the kernel was asked, and has not answered yet. */
  get isAsking(): boolean {
    return this.#asking;
  }

  /** Bytes that the client has taken so far, at most: see `excess`. */
  begin(connection: Connection): number {
    this.#isGenerous = true;
    this.#excess = 0;
    return handedToKernel(connection);
  }

  /** By how many bytes the beginning was counted too high, as the kernel has said since this was asked last. */
  excess(): number {
    const excess = this.#excess;
    this.#excess = 0;
    return excess;
  }

  /** Bytes of progress since the last look. */
  look(connection: Connection): number {
    const left = bytesLeft(connection);
    const queued = queueOf(connection);
    const seen = Math.max(0, left - this.#left) + Math.max(0, this.#queued - queued);
    this.#left = left;
    this.#queued = queued;
    if (seen > 0) this.#unacknowledged = -1;
    // The kernel makes room for what was acknowledged before, and that has been counted.
    const fresh = this.#acknowledged + Math.max(0, seen - this.#ahead);
    this.#ahead = Math.max(0, this.#ahead - seen);
    this.#acknowledged = 0;
    return fresh;
  }

  /** Asks the kernel. What it says counts at the next look. */
  ask(connection: Connection, table: KernelTable): void {
    const socket = connection.rawOutput ?? connection.output;
    if (this.#asking || !(socket instanceof Socket)) return;
    this.#asking = true;
    const handed = handedToKernel(connection);
    table.ask(socket, (unacknowledged) => {
      this.#asking = false;
      if (unacknowledged === undefined || handedToKernel(connection) !== handed) return;
      if (this.#isGenerous) this.#excess = Math.min(unacknowledged, handed);
      this.#isGenerous = false;
      const taken = Math.max(0, this.#unacknowledged - unacknowledged);
      this.#unacknowledged = unacknowledged;
      this.#acknowledged += taken;
      this.#ahead += taken;
    });
  }
}

/**
 * All bytes that the kernel was given so far, about: of them the client may have taken any number. While it takes a large write
 * bit by bit, what waits behind that write is counted as if it had been given, too.
 */
function handedToKernel(connection: Connection): number {
  const queued = queueOf(connection);
  const output = connection.rawOutput ?? connection.output;
  return queued > 0 ? Math.max(0, bytesWritten(output) - queued) : inFlight(output);
}

function queueOf(connection: Connection): number {
  return handleQueue(connection.rawOutput ?? connection.output);
}

/** Bytes that have left the stream's own buffer, or for streams that do not count them, minus those still in it. */
function bytesLeft(connection: Connection): number {
  const { output, rawOutput } = connection;
  return inFlight(output) + (rawOutput === null ? 0 : inFlight(rawOutput));
}

function inFlight(output: Writable): number {
  return bytesWritten(output) - output.writableLength;
}
