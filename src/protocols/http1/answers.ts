/**
 * The last answers: what a client of HTTP/1.1 is told when its connection ends, or when it is not served at all.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { nodeHttp } from "../../core/node-modules.ts";
import type { Phase } from "../../connection/phase.ts";

/** Seconds after which a refused client may come again. */
const retryAfter = 1;

/** Byte for byte what node:http says by itself: the end of the connection is the end of the answer. */
function answer(status: number, headers: readonly string[] = []): string {
  const lines = [`HTTP/1.1 ${status} ${nodeHttp.STATUS_CODES[status] ?? ""}`, "Connection: close", ...headers];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/**
 * The answer to the request that is cut short, or null where none is due or possible: between requests, or when the
 * response has begun.
 */
export function errorAnswer(
  status: number | null,
  response: ServerResponse | null,
  phase: Phase | null,
): string | null {
  if (status === null) return null;
  if (response === null) return phase === "reading" ? answer(status) : null;
  return response.headersSent ? null : answer(status);
}

/** What a client is told whose bytes the parser of node:http refuses. */
export function parserStatus(code: string | undefined): number {
  if (code === "HPE_HEADER_OVERFLOW") return 431;
  return code === "HPE_CHUNK_EXTENSIONS_OVERFLOW" ? 413 : 400;
}

/** Refuses a client before it is served: 503, FIN, and what it sends is thrown away. The caller bounds how long. */
export function refusal(socket: Socket): void {
  socket.end(answer(503, [`Retry-After: ${retryAfter}`]));
  socket.resume();
}
