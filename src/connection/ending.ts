/**
 * How a connection ends: decided once, by the first cause.
 */
import type { SafetyLimitName } from "../limits/safety-limits.ts";
import type { Timer } from "../timers/timer.ts";
import type { CloseReason } from "./close-reason.ts";
import type { Phase } from "./phase.ts";
import type { PortPair } from "./port-pair.ts";

export interface Ending {
  readonly reason: CloseReason;
  readonly limit: SafetyLimitName | null;
  /** The phase in which the end came. */
  readonly phase: Phase;
  /** Ends the wait for a client that is to say FIN, too. */
  linger: Timer<PortPair> | null;
}
