/**
 * The ports of one connection: those that are talked on, and those below where a layer was put on top (TLS, compression).
 */
import type { Readable, Writable } from "node:stream";
import { isClosed } from "./ports.ts";

export class PortPair {
  input: Readable;
  output: Writable;
  /** The ports below; null while there is no layer on top. */
  rawInput: Readable | null = null;
  rawOutput: Writable | null = null;

  constructor(input: Readable, output: Writable) {
    this.input = input;
    this.output = output;
  }

  /** Puts a layer on top; the lowest ports stay the raw ones. @returns whether anything changed */
  putOnTop(input: Readable, output: Writable): boolean {
    if (input === this.input && output === this.output) return false;
    this.rawInput ??= this.input;
    this.rawOutput ??= this.output;
    this.input = input;
    this.output = output;
    return true;
  }

  /** Bytes that were written and have not left the process. */
  get unsentBytes(): number {
    return this.output.writableLength + (this.rawOutput?.writableLength ?? 0);
  }

  /** All bytes received, as far as the lowest port tells. */
  get bytesRead(): number | undefined {
    const { bytesRead } = (this.rawInput ?? this.input) as { bytesRead?: unknown };
    return typeof bytesRead === "number" ? bytesRead : undefined;
  }

  /** All bytes handed to the output, as far as it tells. */
  get bytesWritten(): number {
    const { bytesWritten } = (this.rawOutput ?? this.output) as { bytesWritten?: unknown };
    return typeof bytesWritten === "number" ? bytesWritten : 0;
  }

  /** Each port once. */
  all(): Set<Readable | Writable> {
    const all = [this.input, this.output, this.rawInput, this.rawOutput];
    return new Set(all.filter((port) => port !== null));
  }

  get areClosed(): boolean {
    return (
      isClosed(this.input) &&
      isClosed(this.output) &&
      (this.rawInput === null || isClosed(this.rawInput)) &&
      (this.rawOutput === null || isClosed(this.rawOutput))
    );
  }
}
