/**
 * From a stream back to its connection. The connection hangs on its ports under a registered symbol, so that every copy
 * of this package in the process finds it, and one function serves the events of all ports.
 */
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream";
import type { Connection } from "./connection.ts";
import { noteClosed, noteOpened } from "./ports.ts";

const portKey = Symbol.for("portreeve.port.v1");

interface Marked {
  [portKey]?: Connection;
}

/** Makes `port` tell `connection` of its errors and its end. */
export function markPort(port: Readable | Writable, connection: Connection): void {
  (port as Marked)[portKey] = connection;
  port.on("error", onError);
  noteOpened(port);
  if (emitsClose(port)) port.on("close", onClose);
  else finished(port, { error: false }, () => onClose.call(port));
}

/** The port tells nobody any more. */
export function unmarkPort(port: Readable | Writable, connection: Connection): void {
  const marked = port as Marked;
  if (marked[portKey] !== connection) return;
  delete marked[portKey];
  port.off("error", onError);
  port.off("close", onClose);
}

/** Streams made with `emitClose: false` tell nobody but their own state. Sockets are, and emit it by themselves. */
function emitsClose(port: object): boolean {
  if (port instanceof Socket) return true;
  const { _readableState, _writableState } = port as Record<string, { emitClose?: boolean } | undefined>;
  return (_readableState ?? _writableState)?.emitClose !== false;
}

function onError(this: unknown, error: Error): void {
  (this as Marked)[portKey]?.portFailed(error);
}

function onClose(this: Readable | Writable): void {
  noteClosed(this);
  (this as Marked)[portKey]?.portClosed();
}

/** The connection that a port belongs to. */
export function connectionOfPort(port: unknown): Connection | undefined {
  return typeof port === "object" && port !== null ? (port as Marked)[portKey] : undefined;
}

/**
 * The connection of a port, or of anything that has one as its `socket`, as a request, a response and a session have, or
 * as its `_socket`, as a WebSocket of the library ws has.
 * Undefined for what belongs to none.
 */
export function connectionOf(value: unknown): Connection | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { socket, _socket } = value as { socket?: unknown; _socket?: unknown };
  return connectionOfPort(value) ?? connectionOfPort(socket) ?? connectionOfPort(_socket);
}
