/**
 * The settings of a server of node:http2 that say how much a client may have open: as strict as its limits, or as the program
 * made them where that is stricter.
 */
import type { Http2SecureServer, Http2Server } from "node:http2";
import { http2Settings } from "../../core/node-internals.ts";
import type { SafetyLimits } from "../../limits/safety-limits.ts";

/** Announces `maxConcurrentStreams` to the clients to come. @returns gives the server back as it was */
export function limitStreams(
  server: Http2Server | Http2SecureServer,
  { maxConcurrentStreams }: SafetyLimits,
): () => void {
  const own = http2Settings(server)?.maxConcurrentStreams;
  if (maxConcurrentStreams >= (own ?? Infinity)) return () => {};
  server.updateSettings({ maxConcurrentStreams });
  return () => server.updateSettings({ maxConcurrentStreams: own });
}
