/**
 * The last answers: what a client of HTTP/1.1 is told when its connection ends, or when it is not served at all.
 */
import { STATUS_CODES } from "node:http";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { closeReasons } from "../../connection/close-reason.ts";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { Phase } from "../../connection/phase.ts";

/** Seconds after which a refused client may come again. */
const retryAfter = 1;

function answer(status: number, headers: readonly string[] = []): string {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Content-Length: 0",
    "Connection: close",
    ...headers,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/**
 * The answer to the request that is cut short, or null where none is due or possible: between requests, or when the
 * response has begun.
 */
export function errorAnswer(
  reason: CloseReason,
  response: ServerResponse | undefined,
  phase: Phase | null,
): string | null {
  const { httpStatus } = closeReasons[reason];
  if (httpStatus === null) return null;
  if (response === undefined) return phase === "reading" ? answer(httpStatus) : null;
  return response.headersSent ? null : answer(httpStatus);
}

/** Refuses a client before it is served: 503, FIN, and what it sends is thrown away. The caller has bounded the number. */
export function refusal(socket: Socket): void {
  socket.end(answer(503, [`Retry-After: ${retryAfter}`]));
  socket.resume();
}
