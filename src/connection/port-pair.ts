/**
 * The ports of one connection: those that are talked on, and those below where a layer was put on top (TLS, compression).
 */
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

/** All bytes received, as far as the lowest port tells. */
export function bytesRead(ports: PortPair): number | undefined {
  const { bytesRead: count } = (ports.raw ?? ports.input) as { bytesRead?: unknown };
  return typeof count === "number" ? count : undefined;
}

/** All bytes handed to the output, as far as it tells. */
export function bytesWritten(ports: PortPair): number {
  const { bytesWritten: count } = (ports.rawOutput ?? ports.output) as { bytesWritten?: unknown };
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
