/**
 * The ports of one connection: those that are talked on, and those below where a layer was put on top (TLS, compression).
 */
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { isClosed } from "./ports.ts";

export interface PortPair {
  readonly input: Readable;
  readonly output: Writable;
  /** The ports below; null while there is no layer on top. */
  readonly raw: Readable | null;
  readonly rawOutput: Writable | null;
}

/** Bytes that were written and have not left the process. */
export function unsentBytes({ output, rawOutput }: PortPair): number {
  return output.writableLength + (rawOutput?.writableLength ?? 0);
}

/**
 * All bytes received, as far as the highest socket tells. Of TLS, its handshake is no part: a request may come in the
 * same packet as its last message, and our tickets follow it.
 */
export function bytesRead({ input, raw }: PortPair): number | undefined {
  const { bytesRead: count } = highestSocket(input, raw) as { bytesRead?: unknown };
  return typeof count === "number" ? count : undefined;
}

/** All bytes handed to the output, as far as the highest socket tells. */
export function bytesWritten({ output, rawOutput }: PortPair): number {
  const { bytesWritten: count } = highestSocket(output, rawOutput) as { bytesWritten?: unknown };
  return typeof count === "number" ? count : 0;
}

/** Each port once. */
export function allPorts({ input, output, raw, rawOutput }: PortPair): Set<Readable | Writable> {
  return new Set([input, output, raw, rawOutput].filter((port) => port !== null));
}

export function areClosed({ input, output, raw, rawOutput }: PortPair): boolean {
  return (
    isClosed(input) &&
    (output === (input as unknown) || isClosed(output)) &&
    (raw === null || isClosed(raw)) &&
    (rawOutput === null || isClosed(rawOutput))
  );
}

function highestSocket<Port extends object>(top: Port, below: Port | null): Port {
  return below === null || top instanceof Socket ? top : below;
}
