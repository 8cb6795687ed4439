/**
 * One clock a server: Node's own timeouts of an HTTP server are replaced by the limits of its manager.
 */
import type { Server } from "node:http";

/** Turns off the timeouts that the deadline plan replaces, and answers clients that have sent FIN. */
export function takeOverClock(server: Server & { httpAllowHalfOpen?: boolean }): void {
  server.headersTimeout = 0;
  server.requestTimeout = 0;
  server.keepAliveTimeout = 0;
  server.timeout = 0;
  server.httpAllowHalfOpen = true;
}
