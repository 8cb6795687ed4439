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

/** The limit whose cut a connection was last spared. */
const last = new WeakMap<Connection, SafetyLimitName>();

/** Publishes that `limit` cuts nothing of `connection`. A limit that is broken again and again says so once. @returns false */
export function spare(connection: Connection, reason: CloseReason, limit: SafetyLimitName): false {
  if (last.get(connection) === limit) return false;
  last.set(connection, limit);
  if (spareChannel.hasSubscribers) spareChannel.publish({ connection, reason, limit });
  return false;
}
