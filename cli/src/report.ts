/**
 * Loaded into the program by `portreeve run`: says, on standard error, what a drain came to, and what limits would have
 * done that only observe.
 */
import cluster from "node:cluster";
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import type { CloseReason, DrainReport, SafetyLimitName } from "portreeve";
import { drainLine } from "./drain-line.ts";

const who = cluster.worker === undefined ? "portreeve" : `portreeve: worker ${cluster.worker.id}`;
/** How often each limit would have done something, by what that is. */
const spared = new Map<string, number>();

subscribe("portreeve.connection.spared", (message) => {
  const { limit, reason } = message as { limit: SafetyLimitName; reason: CloseReason };
  const key = sparedKey(limit, reason);
  spared.set(key, (spared.get(key) ?? 0) + 1);
});

subscribe("portreeve.process.drained", (message) => {
  say(drainLine((message as { report: DrainReport }).report));
  saySpared();
});

// The signal that came a second time may end the process at once.
subscribe("portreeve.process.cut", saySpared);
process.on("exit", saySpared);

function saySpared(): void {
  for (const [would, count] of spared) say(`${would} ${count}, and was only observed`);
  spared.clear();
}

function sparedKey(limit: SafetyLimitName, reason: CloseReason): string {
  if (limit === "maxConcurrent") return `${limit} would have made wait`;
  if (reason === "refused" || limit === "maxConcurrentStreams") return `${limit} would have refused`;
  return `${limit}${reason === "limit" ? "" : ` (${reason})`} would have cut`;
}

/** At once, since the process may be about to end; whoever reads it may have gone before. */
function say(line: string): void {
  try {
    writeSync(2, `${who}: ${line}\n`);
  } catch {
    // Nobody reads it.
  }
}
