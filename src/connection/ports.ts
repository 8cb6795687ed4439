/**
 * Ports: the two streams of a connection. Node streams as they are, one Duplex for both, or Web streams, which are
 * adapted once and locked by us.
 */
import { Socket } from "node:net";
import { Readable, Writable } from "node:stream";
import { ArgumentTypeError } from "../core/errors.ts";

/** What is taken as an input port. */
export type InputPort = Readable | ReadableStream;
/** What is taken as an output port. */
export type OutputPort = Writable | WritableStream;

/** @throws ArgumentTypeError unless the value is an open readable stream, of Node or the Web. */
export function checkReadable(port: unknown, path: string): asserts port is InputPort {
  const expected = "an open readable stream";
  if (port instanceof ReadableStream) checkUnlocked(port, path, expected);
  else if (!isNodeStream(port) || typeof (port as Partial<Readable>).read !== "function" || port.destroyed) {
    throw new ArgumentTypeError(path, expected, port);
  }
}

/** @throws ArgumentTypeError unless the value is an open writable stream, of Node or the Web. */
export function checkWritable(port: unknown, path: string): asserts port is OutputPort {
  const expected = "an open writable stream";
  if (port instanceof WritableStream) checkUnlocked(port, path, expected);
  else if (!isNodeStream(port) || typeof (port as Partial<Writable>).write !== "function" || port.destroyed) {
    throw new ArgumentTypeError(path, expected, port);
  }
}

/** Adapts, and so locks, a Web stream. */
export function toReadable(port: InputPort): Readable {
  return port instanceof ReadableStream ? Readable.fromWeb(port) : port;
}

/** Adapts, and so locks, a Web stream. */
export function toWritable(port: OutputPort): Writable {
  return port instanceof WritableStream ? Writable.fromWeb(port) : port;
}

function checkUnlocked(port: { locked: boolean }, path: string, expected: string): void {
  if (port.locked) throw new ArgumentTypeError(path, `${expected} that nobody has locked`, port);
}

function isNodeStream(value: unknown): value is Readable | Writable {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<Readable>).destroy === "function" &&
    "on" in value
  );
}

/** Ports that said 'close' and do not look closed afterwards: standard streams, and streams of older makes. */
const closedQuietly = new WeakSet<object>();

/** Call it when a port said 'close'. */
export function noteClosed(port: Readable | Writable): void {
  if (!port.closed) closedQuietly.add(port);
}

/** Call it when a port is taken into use. */
export function noteOpened(port: Readable | Writable): void {
  closedQuietly.delete(port);
}

/** All bytes handed to an output, as far as it counts them. */
export function bytesWritten(output: object): number {
  return "bytesWritten" in output && typeof output.bytesWritten === "number" ? output.bytesWritten : 0;
}

export function isClosed(port: Readable | Writable): boolean {
  return port.closed || closedQuietly.has(port);
}

/** Whether a stream's errors are what clients do, rather than faults: they went away. */
export function isDeparture(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code !== undefined && departures.has(code);
}

const departures: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "EPIPE",
  "ECONNABORTED",
  "ETIMEDOUT",
  "ENOTCONN",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/** Whether Node refused what the client sent: the HTTP parser, HTTP/2, or TLS. Nobody's error but the client's. */
export function isProtocolError(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === "string" && /^(HPE_|ERR_SSL_|ERR_TLS_|ERR_HTTP2?_)/.test(code);
}

/** Whether an error is what a program hears that goes on using a connection after its end. */
export function isAftermath(error: unknown): boolean {
  if (isDeparture(error)) return true;
  const { code, name } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  return name === "AbortError" || (code !== undefined && aftermaths.has(code));
}

const aftermaths: ReadonlySet<string> = new Set([
  "ABORT_ERR",
  "ERR_PORTREEVE_CONNECTION_CLOSED",
  "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN",
  "ERR_PORTREEVE_UNEXPECTED_END",
  "ERR_STREAM_ALREADY_FINISHED",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PUSH_AFTER_EOF",
  "ERR_STREAM_WRITE_AFTER_END",
  "ERR_STREAM_UNABLE_TO_PIPE",
]);

/**
 * Resets a socket (RST), so that the kernel frees what was not taken; anything else is destroyed.
 * @param above the TLS socket above it, which says FIN through the same handle
 */
export function reset(port: Readable | Writable, above: Readable | Writable = port): void {
  if (above instanceof Socket && isSayingFin(above)) {
    port.destroy();
    return;
  }
  // A socket without a TCP handle (a unix socket, a pipe) has no RST to send.
  if (port instanceof Socket && port.remoteFamily !== undefined && !port.destroyed) {
    port.resetAndDestroy();
  } else port.destroy();
}

/** While its FIN is on its way out the kernel interface refuses a reset, and Node would lose the descriptor over it. */
function isSayingFin({ writableEnded, writableFinished, writableLength }: Socket): boolean {
  return writableEnded && !writableFinished && writableLength === 0;
}
