/**
 * What limits would have cut, where a manager only observes.
 */
import { defineChannel } from "../core/channels.ts";
import type { SafetyLimitName } from "../limits/safety-limits.ts";
import type { CloseReason } from "./close-reason.ts";
import type { Connection } from "./connection.ts";

const spareChannel = defineChannel<{ connection: Connection; reason: CloseReason; limit: SafetyLimitName }>(
  "portreeve.connection.spared",
);

/** The limits that were told of each thing that they would have cut. */
const told = new WeakMap<object, Set<SafetyLimitName>>();

/** A cut that a limit would have made. */
export interface Sparing {
  readonly reason: CloseReason;
  readonly limit: SafetyLimitName;
  /** What would have been cut: for each limit, once is enough. Null where whoever asks does so once a cut. */
  readonly what: object | null;
}

/** Publishes a cut that is not made. @returns false */
export function spare(connection: Connection, { reason, limit, what }: Sparing): false {
  if (!spareChannel.hasSubscribers || (what !== null && isTold(what, limit))) return false;
  spareChannel.publish({ connection, reason, limit });
  return false;
}

/** Whether `limit` was told of `what` before. It is, from now on. */
function isTold(what: object, limit: SafetyLimitName): boolean {
  const limits = told.get(what);
  if (limits?.has(limit) === true) return true;
  if (limits === undefined) told.set(what, new Set([limit]));
  else limits.add(limit);
  return false;
}
