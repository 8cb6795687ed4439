/**
 * What the error of a session says about its client.
 */
import type { CloseReason } from "../../connection/close-reason.ts";
import { isDeparture, isProtocolError } from "../../connection/ports.ts";

/** NGHTTP2_ERR_FLOODED. */
const flooded = -904;
/** NGHTTP2_ERR_CALLBACK_FAILURE: so Node ends a session of which it has rejected 100 streams (`maxSessionRejectedStreams`). */
const refusedByNode = -902;

/** @param hasLeft whether the client has said that it leaves */
export function reasonOf(error: Error, hasLeft: boolean): CloseReason {
  if (isDeparture(error)) return "client-reset";
  if (hasLeft) return "client-ended";
  if (isFlood(error)) return "abuse";
  return isProtocolError(error) ? "protocol-error" : "completed";
}

/** nghttp2 has found a flood by itself, or Node has: of streams beyond those that it was told it may open. */
function isFlood(error: Error & { code?: unknown; errno?: unknown }): boolean {
  return error.errno === flooded || error.errno === refusedByNode || error.code === "ERR_HTTP2_TOO_MANY_INVALID_FRAMES";
}
