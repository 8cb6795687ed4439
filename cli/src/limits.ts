/**
 * `--limit name=value`, as often as one likes.
 */
import { ArgumentRangeError, ArgumentTypeError, makeSafetyLimits, safetyLimitNames } from "portreeve";
import type { SafetyLimits } from "portreeve";
import { UsageError } from "./errors.ts";

/** Collects one `--limit` option. @throws UsageError for anything but name=value */
export function collectLimit(
  text: string,
  collected: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
  const [, name, value] = /^(\w+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new UsageError(`--limit ${text}: expected name=value, such as requestReadTimeout=10s`);
  }
  if (!(safetyLimitNames as readonly string[]).includes(name)) {
    throw new UsageError(`--limit ${text}: there is no limit ${name}; the limits are ${safetyLimitNames.join(", ")}`);
  }
  return new Map(collected).set(name, value);
}

/** The limits that were given, on top of the safe defaults. @throws UsageError that names the option */
export function limitsOf(collected: ReadonlyMap<string, string>): SafetyLimits {
  const options = Object.fromEntries([...collected].map(([name, value]) => [name, valueOf(value)]));
  try {
    return makeSafetyLimits(options);
  } catch (error) {
    if (!(error instanceof ArgumentTypeError || error instanceof ArgumentRangeError)) throw error;
    const name = error.path.replace(/^safetyLimits\./, "");
    throw new UsageError(`--limit ${name}=${collected.get(name) ?? ""}: expected ${error.expected}`);
  }
}

/** Numbers are written bare, and null is a word; everything else is for the library to read. */
function valueOf(text: string): number | string | null {
  if (text === "null") return null;
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
