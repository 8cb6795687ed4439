/**
 * From a stream back to its connection. The connection hangs on its ports under a registered symbol, so that every copy
 * of this package in the process finds it, and one function serves the events of all ports.
 */
import { EventEmitter } from "node:events";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream";
import { errorListenersOf } from "../core/node-internals.ts";
import type { Connection } from "./connection.ts";
import { noteClosed, noteOpened } from "./ports.ts";

const portKey = Symbol.for("portreeve.port.v1");

/** What knows a layer above the ports (a session, a stream of HTTP/2), and its connection. */
export interface LayerKeeper {
  readonly connection: Connection;
  /** It is left out of JSON, as properties under symbols are: loggers write requests, and this leads to all connections. */
  toJSON(): undefined;
}

type Destroy = (this: Socket, error: Error | null, done: (error?: Error | null) => void) => void;

interface Marked {
  [portKey]?: Connection;
  /** Under a name, since streams have so many properties that looking for one under a symbol costs five times as much. */
  _portreeve?: LayerKeeper;
  _destroy?: Destroy;
}

// Looking them up at their classes costs more than what is done with them.
const emitter = EventEmitter.prototype;
const inherited = Socket.prototype;

/** Makes both ports tell `connection` of their errors and their end. */
export function markPorts(input: Readable, output: Writable, connection: Connection): void {
  markPort(input, connection);
  if (output !== (input as unknown)) markPort(output, connection);
}

function markPort(port: Readable | Writable, connection: Connection): void {
  (port as Marked)[portKey] = connection;
  if (port instanceof Socket && port._destroy === inherited._destroy) {
    // Every end of a socket goes through this, once. Listeners from the beginning would take twice the memory.
    port._destroy = destroyMarked;
    return;
  }
  port.on("error", onError);
  noteOpened(port);
  if (emitsClose(port)) port.on("close", onClose);
  else finished(port, { error: false }, () => onClose.call(port));
}

/** Makes what lies above the ports lead to its keeper; its errors and its end are not heard. */
export function markLayer(layer: object, keeper: LayerKeeper): void {
  (layer as Marked)._portreeve = keeper;
}

/** The keeper of a layer. */
export function keeperOf(layer: object): LayerKeeper | undefined {
  return (layer as Marked)._portreeve;
}

/** Takes back what `markLayer` did. */
export function unmarkLayer(layer: object, keeper: LayerKeeper): void {
  if (keeperOf(layer) === keeper) delete (layer as Marked)._portreeve;
}

/** The port tells nobody any more. */
export function unmarkPort(port: Readable | Writable, connection: Connection): void {
  const marked = port as Marked;
  if (marked[portKey] !== connection) return;
  delete marked[portKey];
  if (marked._destroy === destroyMarked) delete marked._destroy;
  port.off("error", ignore);
  port.off("error", onError);
  port.off("close", onClose);
}

/** One function for all sockets. */
function destroyMarked(this: Socket, error: Error | null, done: (error?: Error | null) => void): void {
  const connection = (this as Marked)[portKey];
  if (error !== null) connection?.portFailed(error);
  // Not before the server's own listeners, so that a connection that has closed has no request that has not.
  // A socket's own `on` looks for what makes it read, and node:http's once more: three quarters of what this costs.
  if (connection !== undefined) emitter.on.call(this, "close", onClose);
  inherited._destroy.call(this, error, done);
}

/** An error that nobody hears ends the process. */
export function hearErrors(port: Readable | Writable): void {
  // Most have some, and asking Node for their number costs ten times as much.
  if (errorListenersOf(port) === undefined && port.listenerCount("error") === 0) port.on("error", ignore);
}

/** Takes back what `hearErrors` did. */
export function stopHearing(...ports: readonly (Readable | Writable)[]): void {
  for (const port of ports) port.off("error", ignore);
}

function ignore(): void {}

/** Streams made with `emitClose: false` tell nobody but their own state. */
function emitsClose(port: object): boolean {
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

/** The connection that a port belongs to, or a layer above the ports. */
export function connectionOfPort(port: unknown): Connection | undefined {
  if (typeof port !== "object" || port === null) return undefined;
  return (port as Marked)[portKey] ?? keeperOf(port)?.connection;
}

/**
 * The connection of a port, a session or a stream of node:http2, or of anything that has one as its `stream` or `socket`,
 * as requests and responses have, or as its `_socket`, as a WebSocket of the library ws has. Undefined for what belongs to
 * none.
 */
export function connectionOf(value: unknown): Connection | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { stream, _socket } = value as { stream?: unknown; _socket?: unknown };
  // In this order: the `socket` of a request of node:http2 is a slow proxy.
  return (
    connectionOfPort(value) ??
    connectionOfPort(stream) ??
    connectionOfPort((value as { socket?: unknown }).socket) ??
    connectionOfPort(_socket)
  );
}

/** Marks connections. @internal */
export const connectionBrand: unique symbol = Symbol.for("portreeve.connection.v1");

/** Racket entry: `connection?`. True for connections of every copy of this package in the process. */
export function isConnection(value: unknown): value is Connection {
  return typeof value === "object" && value !== null && Reflect.get(value, connectionBrand) === true;
}
