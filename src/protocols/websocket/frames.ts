/**
 * The frames that we write on a WebSocket ourselves, and the words by which one is recognised (RFC 6455). A server's
 * frames are not masked.
 */
import type { IncomingMessage } from "node:http";

/** FIN, and the opcode 9; no payload. */
export const ping: Uint8Array = Uint8Array.of(0x89, 0);

/** FIN, and the opcode 8; the payload is the code (section 7.4.1). */
export function closeFrame(code: number): Uint8Array {
  return Uint8Array.of(0x88, 2, code >> 8, code & 0xff);
}

/** Whether a client asks for a WebSocket. */
export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.trim().toLowerCase() === "websocket";
}

/** The status in the first bytes of an answer, or NaN where they are none. */
export function statusOf(firstBytes: unknown): number {
  const bytes =
    firstBytes instanceof Uint8Array ? Buffer.from(firstBytes.subarray(0, 12)).toString("latin1") : firstBytes;
  const found = typeof bytes === "string" ? /^HTTP\/1\.[01] (\d{3})/.exec(bytes) : null;
  return Number(found?.[1]);
}
