/**
 * The last chance of half a request in a drain: the rest of it may still come, and is the last that is served.
 */
import type { Connection } from "./connection.ts";
import { plan } from "./deadline-plan.ts";

/** @param grace of the drain; half of a short one is for the client to see its answer */
export function giveLastChance(connection: Connection, grace: number): void {
  const { timers, safetyLimits } = connection.manager;
  const chance = Math.min(connection.timer.deadline - timers.clock.now(), safetyLimits.lingerTimeout, grace / 2);
  connection.enter("reading", plan.lastChance);
  connection.timer.reset(Math.max(0, chance));
}
