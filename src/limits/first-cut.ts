/**
 * The first time a limit at its default value cuts something, the operator is told which one, and how to raise it. Once
 * a limit and process: a limit that nobody chose must not be a riddle, nor a flood.
 */
import { isDeepStrictEqual } from "node:util";
import { limitDefault } from "./safety-limits.ts";
import type { SafetyLimitName, SafetyLimits } from "./safety-limits.ts";

const told: Set<SafetyLimitName> = new Set();

/** Says as a process warning that `limit` has cut a client off, if it is at its default and this is the first time. */
export function warnOfFirstCut(limit: SafetyLimitName, limits: SafetyLimits): void {
  if (told.has(limit) || !isDeepStrictEqual(limits[limit], limitDefault(limit, "default"))) return;
  told.add(limit);
  process.emitWarning(
    `a client was cut off by ${limit}, at its default of ${show(limits[limit])}; ` +
      `to raise it: safetyLimits: { ${limit}: ... }. This is said once a limit.`,
    { type: "PortreeveLimitWarning", code: "PORTREEVE_DEFAULT_LIMIT" },
  );
}

function show(value: SafetyLimits[SafetyLimitName]): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
