/**
 * One clock a server: Node's own timeouts of an HTTP server are replaced by the limits of its manager.
 */
import type { Server } from "node:http";

/**
 * Turns off the timeouts that the deadline plan replaces, and answers clients that have sent FIN.
 * @returns how to give everything back
 */
export function takeOverClock(server: Server & { httpAllowHalfOpen?: boolean }): () => void {
  const { headersTimeout, requestTimeout, keepAliveTimeout, timeout, httpAllowHalfOpen = false } = server;
  const off = { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0, timeout: 0, httpAllowHalfOpen: true };
  Object.assign(server, off);
  return () => {
    Object.assign(server, { headersTimeout, requestTimeout, keepAliveTimeout, timeout, httpAllowHalfOpen });
  };
}
