/**
 * How a client gets on with what is sent to it, as far as anybody can tell: what the kernel takes of it, and between those
 * moments, which may be megabytes apart, what the client's kernel acknowledges to ours.
 */
import type { Writable } from "node:stream";
import { Socket } from "node:net";
import { handedToKernel } from "../core/node-internals.ts";
import type { Connection } from "./connection.ts";
import type { KernelTable } from "./kernel-table.ts";
import { bytesWritten } from "./ports.ts";

export class ClientProgress {
  /** All bytes handed on at the last look. */
  #handed: number;
  /** What the kernel held when it was asked last; -1 where it was given more since. */
  #unacknowledged = -1;
  /** Bytes that were acknowledged since the last look, and those that were before they are seen to make room. */
  #acknowledged = 0;
  #ahead = 0;
  #asking = false;
  /** Whether what the kernel held at first is counted as taken; and how much of that there was, once it has said so. */
  #isGenerous = true;
  #excess = 0;

  constructor(connection: Connection) {
    this.#handed = handedOn(connection);
  }

  /** Whether the kernel was asked, and has not answered yet. */
  get isAsking(): boolean {
    return this.#asking;
  }

  /** Bytes that the client has taken so far, at most: see `excess`. */
  begin(): number {
    this.#isGenerous = true;
    this.#excess = 0;
    return this.#handed;
  }

  /** By how many bytes the beginning was counted too high, as the kernel has said since this was asked last. */
  excess(): number {
    const excess = this.#excess;
    this.#excess = 0;
    return excess;
  }

  /** Bytes of progress since the last look. */
  look(connection: Connection): number {
    const handed = handedOn(connection);
    const seen = Math.max(0, handed - this.#handed);
    this.#handed = handed;
    if (seen > 0) this.#unacknowledged = -1;
    // The kernel makes room for what was acknowledged before, and that has been counted.
    const fresh = this.#acknowledged + Math.max(0, seen - this.#ahead);
    this.#ahead = Math.max(0, this.#ahead - seen);
    this.#acknowledged = 0;
    return fresh;
  }

  /** Asks the kernel. What it says counts at the next look. */
  ask(connection: Connection, table: KernelTable): void {
    const socket = lowest(connection);
    if (this.#asking || !(socket instanceof Socket)) return;
    this.#asking = true;
    const handed = handedOn(connection);
    table.ask(socket, (unacknowledged) => {
      this.#asking = false;
      if (unacknowledged === undefined || handedOn(connection) !== handed) return;
      if (this.#isGenerous) this.#excess = Math.min(unacknowledged, handed);
      this.#isGenerous = false;
      const taken = Math.max(0, this.#unacknowledged - unacknowledged);
      this.#unacknowledged = unacknowledged;
      this.#acknowledged += taken;
      this.#ahead += taken;
    });
  }
}

/** All bytes that the lowest port has handed on: to the kernel, or where none is known, to whatever is behind it. */
function handedOn(connection: Connection): number {
  const output = lowest(connection);
  return handedToKernel(output) ?? bytesWritten(output) - output.writableLength;
}

function lowest({ output, rawOutput }: Connection): Writable {
  return rawOutput ?? output;
}
