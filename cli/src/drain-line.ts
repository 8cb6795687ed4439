/**
 * A drain in one line.
 */
import type { DrainReport } from "portreeve";
import prettyMs from "pretty-ms";

export function drainLine({ duration, idle, finished, cut, refused }: DrainReport): string {
  const counts = [`${finished} finished`, `${idle} idle closed`, `${cut.length} cut`];
  if (refused > 0) counts.push(`${refused} waiting refused`);
  const who = cut.map(
    ({ id, reason, phase, age }) => `connection ${id}: ${reason} while ${phase}, open for ${prettyMs(age)}`,
  );
  const shown = who.slice(0, 5);
  if (who.length > shown.length) shown.push(`and ${who.length - shown.length} more`);
  return `drained in ${prettyMs(duration)}: ${counts.join(", ")}${who.length > 0 ? ` (${shown.join("; ")})` : ""}`;
}
