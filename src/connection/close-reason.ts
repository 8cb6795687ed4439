/**
 * Why a connection ended: exactly one word, the first cause. The same word in errors, events, metrics, logs and docs.
 */
import type { SafetyLimitName } from "../limits/safety-limits.ts";

/** Whose doing the end was, in one word each; `docs/close-reasons.md` explains them. */
export type CloseReason =
  | "completed"
  | "client-ended"
  | "client-reset"
  | "handshake-timeout"
  | "read-timeout"
  | "idle-timeout"
  | "response-timeout"
  | "response-stalled"
  | "send-timeout"
  | "upgraded-timeout"
  | "receive-rate"
  | "send-rate"
  | "limit"
  | "max-age"
  | "refused"
  | "evicted"
  | "killed"
  | "owner-shutdown"
  | "handler-error"
  | "protocol-error"
  | "abuse"
  | "drained"
  | "drain-cut"
  | "server-closed"
  | "internal-error";

/**
 * How the ports are closed.
 * - `fin`: the bytes written so far are handed to the kernel, then FIN, then closed.
 * - `linger`: as `fin`, then what the client still sends is read and thrown away until it ends too, so that the kernel
 *   does not destroy our last bytes with a reset. For at most `lingerTimeout`.
 * - `cut`: closed at once; reset if bytes were still waiting.
 * - `reset`: RST, so that the kernel frees what the client never took.
 */
export type CloseManner = "fin" | "linger" | "cut" | "reset";

/** A name of RFC 9113, section 7. */
export type Http2ErrorCode =
  | "NO_ERROR"
  | "PROTOCOL_ERROR"
  | "INTERNAL_ERROR"
  | "SETTINGS_TIMEOUT"
  | "CANCEL"
  | "ENHANCE_YOUR_CALM";

export interface CloseReasonFacts {
  readonly manner: CloseManner;
  /** The status of the answer to an HTTP request that was cut short, where one is still possible. */
  readonly httpStatus: number | null;
  /** The error code of HTTP/2. */
  readonly http2Code: Http2ErrorCode | null;
  /** The WebSocket close code (RFC 6455, section 7.4.1). */
  readonly websocketCode: number | null;
  /** The limit whose doing it was, where the reason alone tells. */
  readonly limit: SafetyLimitName | null;
}

function facts(
  manner: CloseManner,
  httpStatus: number | null = null,
  http2Code: Http2ErrorCode | null = "NO_ERROR",
  websocketCode: number | null = 1001,
  limit: SafetyLimitName | null = null,
): CloseReasonFacts {
  return { manner, httpStatus, http2Code, websocketCode, limit };
}

export const closeReasons: Readonly<Record<CloseReason, CloseReasonFacts>> = {
  completed: facts("linger", null, "NO_ERROR", 1000),
  "client-ended": facts("fin", null, null, null),
  "client-reset": facts("cut", null, null, null),
  "handshake-timeout": facts("fin", null, "SETTINGS_TIMEOUT", null, "handshakeTimeout"),
  "read-timeout": facts("linger", 408, "NO_ERROR", 1001, "requestReadTimeout"),
  "idle-timeout": facts("fin", null, "NO_ERROR", 1001, "idleTimeout"),
  "response-timeout": facts("linger", 503, "INTERNAL_ERROR", 1011, "responseTimeout"),
  "response-stalled": facts("reset", null, "INTERNAL_ERROR", 1011),
  "send-timeout": facts("reset", null, "CANCEL", null, "responseSendTimeout"),
  "upgraded-timeout": facts("fin", null, "NO_ERROR", 1001, "upgradedIdleTimeout"),
  "receive-rate": facts("linger", 408, "NO_ERROR", 1001, "minReceiveRate"),
  "send-rate": facts("reset", null, "CANCEL", null, "minSendRate"),
  limit: facts("linger", 413, "ENHANCE_YOUR_CALM", 1009),
  "max-age": facts("linger", null, "NO_ERROR", 1001, "maxConnectionAge"),
  refused: facts("linger", 503, "NO_ERROR", 1013),
  evicted: facts("linger", 503, "NO_ERROR", 1013),
  killed: facts("linger", 503, "CANCEL", 1001),
  "owner-shutdown": facts("linger", 503, "CANCEL", 1001),
  "handler-error": facts("linger", 500, "INTERNAL_ERROR", 1011),
  "protocol-error": facts("linger", 400, "PROTOCOL_ERROR", 1002),
  abuse: facts("linger", null, "ENHANCE_YOUR_CALM", 1008),
  drained: facts("linger"),
  "drain-cut": facts("cut", 503, "NO_ERROR", 1012),
  "server-closed": facts("cut", 503, "NO_ERROR", 1012),
  "internal-error": facts("cut", 500, "INTERNAL_ERROR", 1011),
};

export function isCloseReason(value: unknown): value is CloseReason {
  return typeof value === "string" && Object.hasOwn(closeReasons, value);
}
