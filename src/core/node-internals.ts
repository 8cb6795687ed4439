/**
 * The one place where private properties of Node are read. Each is guarded: where it is missing, the answer is the one
 * that says least, and the caller has a way to go on.
 */
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

/** Whether a server has ever listened; false where that cannot be known. */
export function hasListened(server: object): boolean {
  const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === "async_id_symbol");
  const id: unknown = symbol === undefined ? -1 : Reflect.get(server, symbol);
  return typeof id === "number" && id > 0;
}
