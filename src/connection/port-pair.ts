/**
 * The ports of one connection: those that are talked on, and those below where a layer was put on top (TLS, compression).
 * A connection is one, because most have one socket and an object for it would be as large as what it says.
 */
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { bytesWritten, isClosed } from "./ports.ts";

/** The ports below those that are talked on. */
export interface PortsBelow {
  readonly input: Readable;
  readonly output: Writable;
}

export abstract class PortPair {
  // What it keeps is in the fields of the connection: fields of its own would take a constructor, and V8 makes what has a
  // chain of those three times as slowly.
  /** @internal */ protected abstract inputPort: Readable;
  /** @internal */ protected abstract outputPort: Writable;
  /** @internal */ protected abstract portsBelow: PortsBelow | null;

  /** Racket entry: `connection-i-port`. */
  get input(): Readable {
    return this.inputPort;
  }

  /** Racket entry: `connection-o-port`. */
  get output(): Writable {
    return this.outputPort;
  }

  /** The input below the present one, where a handshake has put a layer on top of it. */
  get raw(): Readable | null {
    return this.portsBelow?.input ?? null;
  }

  /** The output below the present one; of a socket it is the same as `raw`. */
  get rawOutput(): Writable | null {
    return this.portsBelow?.output ?? null;
  }

  /** Bytes that were written and have not left the process. @internal */
  get unsentOnPorts(): number {
    return this.outputPort.writableLength + (this.portsBelow?.output.writableLength ?? 0);
  }

  /**
   * All bytes received, as far as the highest socket tells. Of TLS, its handshake is no part: a request may come in the
   * same packet as its last message, and our tickets follow it. @internal
   */
  get bytesIn(): number | undefined {
    const { bytesRead } = highestSocket(this.inputPort, this.portsBelow?.input) as { bytesRead?: unknown };
    return typeof bytesRead === "number" ? bytesRead : undefined;
  }

  /** All bytes handed to the output, as far as the highest socket tells. @internal */
  get bytesOut(): number {
    return bytesWritten(highestSocket(this.outputPort, this.portsBelow?.output));
  }

  /** Each port once. @internal */
  get ports(): Set<Readable | Writable> {
    const all = [this.inputPort, this.outputPort, this.raw, this.rawOutput];
    return new Set(all.filter((port) => port !== null));
  }

  /** @internal */
  get portsAreClosed(): boolean {
    const input = this.inputPort;
    const output = this.outputPort;
    if (!isClosed(input) || (output !== (input as unknown) && !isClosed(output))) return false;
    return this.portsBelow === null || (isClosed(this.portsBelow.input) && isClosed(this.portsBelow.output));
  }

  /** Puts a layer on top; the lowest ports stay the raw ones. @returns whether anything changed @internal */
  putOnTop(input: Readable, output: Writable): boolean {
    if (input === this.inputPort && output === this.outputPort) return false;
    this.portsBelow ??= { input: this.inputPort, output: this.outputPort };
    this.inputPort = input;
    this.outputPort = output;
    return true;
  }
}

function highestSocket<Port extends object>(top: Port, below: Port | undefined): Port {
  return below === undefined || top instanceof Socket ? top : below;
}
