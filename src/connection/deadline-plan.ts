/**
 * The deadline plan: which phase has which deadline, from which limit. Racket states its plan at the top of
 * private/timer.rkt; this is ours.
 *
 *  1. A connection is made with the deadline `requestReadTimeout`, or with the timeout that its maker gives. The first
 *     request must have been read by then.
 *  2. During a handshake the deadline is `handshakeTimeout`; afterwards the first request has `requestReadTimeout`.
 *  3. While it waits for a further request the deadline is `idleTimeout`.
 *  4. When a further request has begun to come and more of it has to be waited for, it is `requestReadTimeout`, however
 *     slowly the rest comes. A request that comes whole is not waited for, and passes from `idle` to `handling`.
 *  5. Once a request is read, and before it is handled, it is `responseTimeout`.
 *  6. Once it is handled and only sending is left there is no deadline of the plan: the budget watches whether the
 *     client takes the bytes (`responseSendTimeout`, restarted by progress, and `minSendRate`).
 *  7. A connection that was upgraded has `upgradedIdleTimeout` from its last byte, in either direction.
 *  8. In a drain the rest of a head has a short time, which is no limit's: it holds where limits only observe, too.
 *  9. A program that moves a deadline (`adjustTimeout`, `resetTimeout`) moves the one in force, which is final then: no
 *     progress puts it off. The next phase sets its own.
 *
 * All of this is judged by a forgiving timer manager: our own pause never times a client out.
 */
import type { SafetyLimits } from "../limits/safety-limits.ts";
import type { CloseReason } from "./close-reason.ts";

/** A deadline of the plan: how long from now, and why the connection ends when it passes. */
export interface PlannedDeadline {
  /** Its place in `plannedTimeouts`. */
  readonly order: number;
  readonly limit:
    | "handshakeTimeout"
    | "requestReadTimeout"
    | "idleTimeout"
    | "responseTimeout"
    | "upgradedIdleTimeout"
    | "none";
  readonly reason: CloseReason;
}

export const plan: Readonly<
  Record<"handshake" | "request" | "idle" | "response" | "sending" | "upgraded" | "lastChance", PlannedDeadline>
> = {
  handshake: { order: 0, limit: "handshakeTimeout", reason: "handshake-timeout" },
  request: { order: 1, limit: "requestReadTimeout", reason: "read-timeout" },
  idle: { order: 2, limit: "idleTimeout", reason: "idle-timeout" },
  response: { order: 3, limit: "responseTimeout", reason: "response-timeout" },
  sending: { order: 4, limit: "none", reason: "send-timeout" },
  upgraded: { order: 5, limit: "upgradedIdleTimeout", reason: "upgraded-timeout" },
  lastChance: { order: 6, limit: "none", reason: "read-timeout" },
};

/** The milliseconds of each deadline of the plan, in their order: one is looked up in every phase of every request. */
export function plannedTimeouts(limits: SafetyLimits): readonly number[] {
  return Object.values(plan).map(({ limit }) => (limit === "none" ? Infinity : limits[limit]));
}
