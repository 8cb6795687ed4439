/**
 * The ports of one connection: those that are talked on, and those below where a layer was put on top (TLS, compression).
 * A connection is one, because most have one socket and an object for it would be as large as what it says.
 */
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { bytesWritten, isClosed } from "./ports.ts";

export class PortPair {
  #input: Readable;
  #output: Writable;
  #below: { readonly input: Readable; readonly output: Writable } | null = null;

  constructor(input: Readable, output: Writable) {
    this.#input = input;
    this.#output = output;
  }

  /** Racket entry: `connection-i-port`. */
  get input(): Readable {
    return this.#input;
  }

  /** Racket entry: `connection-o-port`. */
  get output(): Writable {
    return this.#output;
  }

  /** The input below the present one, where a handshake has put a layer on top of it. */
  get raw(): Readable | null {
    return this.#below?.input ?? null;
  }

  /** The output below the present one; of a socket it is the same as `raw`. */
  get rawOutput(): Writable | null {
    return this.#below?.output ?? null;
  }

  /** Bytes that were written and have not left the process. @internal */
  get unsentOnPorts(): number {
    return this.#output.writableLength + (this.#below?.output.writableLength ?? 0);
  }

  /**
   * All bytes received, as far as the highest socket tells. Of TLS, its handshake is no part: a request may come in the
   * same packet as its last message, and our tickets follow it. @internal
   */
  get bytesIn(): number | undefined {
    const { bytesRead } = highestSocket(this.#input, this.#below?.input) as { bytesRead?: unknown };
    return typeof bytesRead === "number" ? bytesRead : undefined;
  }

  /** All bytes handed to the output, as far as the highest socket tells. @internal */
  get bytesOut(): number {
    return bytesWritten(highestSocket(this.#output, this.#below?.output));
  }

  /** Each port once. @internal */
  get ports(): Set<Readable | Writable> {
    const all = [this.#input, this.#output, this.raw, this.rawOutput];
    return new Set(all.filter((port) => port !== null));
  }

  /** @internal */
  get portsAreClosed(): boolean {
    const input = this.#input;
    const output = this.#output;
    if (!isClosed(input) || (output !== (input as unknown) && !isClosed(output))) return false;
    return this.#below === null || (isClosed(this.#below.input) && isClosed(this.#below.output));
  }

  /** Puts a layer on top; the lowest ports stay the raw ones. @returns whether anything changed @internal */
  putOnTop(input: Readable, output: Writable): boolean {
    if (input === this.#input && output === this.#output) return false;
    this.#below ??= { input: this.#input, output: this.#output };
    this.#input = input;
    this.#output = output;
    return true;
  }
}

function highestSocket<Port extends object>(top: Port, below: Port | undefined): Port {
  return below === undefined || top instanceof Socket ? top : below;
}
