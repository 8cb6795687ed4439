/**
 * A limit that nothing enforces must not look as if it did: each server names what it enforces, and refuses the rest.
 */
import { isDeepStrictEqual } from "node:util";
import { LimitNotEnforcedError } from "../core/errors.ts";
import { limitDefault, safetyLimitNames } from "./safety-limits.ts";
import type { SafetyLimitName, SafetyLimits } from "./safety-limits.ts";

/** @throws LimitNotEnforcedError for the first limit that was set to a value of its own and is not in `enforced`. */
export function requireEnforced(limits: SafetyLimits, enforced: ReadonlySet<SafetyLimitName>, server: string): void {
  for (const name of safetyLimitNames) {
    if (!enforced.has(name) && isSet(limits, name)) throw new LimitNotEnforcedError(name, server);
  }
}

/** Whether the value is neither the safe default nor the unlimited one. */
function isSet(limits: SafetyLimits, name: SafetyLimitName): boolean {
  if (name === "maxFormDataParts" && limits.maxFormDataParts === limits.maxFormDataFields + limits.maxFormDataFiles) {
    return false;
  }
  const kinds = ["default", "unlimited"] as const;
  return kinds.every((kind) => !isDeepStrictEqual(limits[name], limitDefault(name, kind)));
}
