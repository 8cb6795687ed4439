/**
 * The one place where private properties of Node are read. Each is guarded: where it is missing, the answer is the one
 * that says least, and the caller has a way to go on.
 */
import type { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { Socket } from "node:net";

/**
 * How much of a write the kernel has not taken yet. No public value shows the progress of one large write. Where it is
 * missing, 0: progress is seen write by write.
 */
export function handleQueue(socket: object): number {
  const queued = (socket as { _handle?: { writeQueueSize?: unknown } | null })._handle?.writeQueueSize;
  return typeof queued === "number" ? queued : 0;
}

/** From a TLS socket to the socket below it. */
export function rawSocketOf(secure: object): Socket | undefined {
  const parent = (secure as { _parent?: unknown })._parent;
  return parent instanceof Socket ? parent : undefined;
}

/** The head of a response as it was sent; `writeHead` keeps what it is given from `getHeader`. */
export function sentHead(response: ServerResponse): string {
  const head = (response as unknown as { _header?: unknown })._header;
  return typeof head === "string" ? head : `content-type: ${String(response.getHeader("content-type") ?? "")}`;
}

/** The response that a socket of node:http is busy with. */
export function responseOnSocket(socket: Socket): ServerResponse | undefined {
  const response = (socket as unknown as { _httpMessage?: unknown })._httpMessage;
  return typeof response === "object" && response !== null ? (response as ServerResponse) : undefined;
}

/** The settings that an HTTP/2 server was given; undefined where they cannot be read. */
export function http2Settings(server: object): { readonly maxConcurrentStreams?: number } | undefined {
  const settings = (bySymbol(server, "options") as { settings?: unknown } | undefined)?.settings;
  return typeof settings === "object" && settings !== null ? settings : undefined;
}

/** All bytes that a program has written to a stream of HTTP/2; undefined where they are not counted. */
export function streamBytesWritten(stream: object): number | undefined {
  const written = (bySymbol(stream, "kHandle") as { bytesWritten?: unknown } | undefined)?.bytesWritten;
  return typeof written === "number" ? written : undefined;
}

/** What hangs on an object under a symbol that Node keeps to itself. */
function bySymbol(object: object, description: string): unknown {
  let symbol = symbols.get(description);
  if (symbol === undefined || !(symbol in object)) {
    symbol = Object.getOwnPropertySymbols(object).find((own) => own.description === description);
    if (symbol === undefined) return undefined;
    symbols.set(description, symbol);
  }
  return Reflect.get(object, symbol);
}

const symbols: Map<string, symbol> = new Map();

/** Whether a server has ever listened; false where that cannot be known. */
export function hasListened(server: object): boolean {
  const id: unknown = bySymbol(server, "async_id_symbol");
  return typeof id === "number" && id > 0;
}

/** Whether a server is the one by which the primary of a cluster accepts for its workers; false where that cannot be known. */
export function isClusterInternal(server: EventEmitter): boolean {
  // Its only listener is an assertion that it is never called.
  const [first, ...others] = server.listeners("connection");
  return first?.name === "fail" && others.length === 0;
}
