/**
 * `--limit name=value`, as often as one likes.
 */
import {
  ArgumentRangeError,
  ArgumentTypeError,
  LimitNotEnforcedError,
  enforcedLimits,
  makeSafetyLimits,
  safetyLimitNames,
} from "portreeve";
import type { SafetyLimitName, SafetyLimits } from "portreeve";
import { createServer as createSecureServer } from "node:https";
import prettyBytes from "pretty-bytes";
import { UsageError } from "./errors.ts";

/** The limits that a server of files enforces. */
export const servedLimitNames: readonly SafetyLimitName[] = enforcedLimits(createSecureServer());

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
    throw new UsageError(`--limit ${text}: there is no limit ${name}; portreeve serve --help lists them`);
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

/** Does something with the limits that were given. An error that names one is told in terms of the flag that set it. */
export function inTermsOfFlags<T>(use: () => T, collected: ReadonlyMap<string, string>): T {
  try {
    return use();
  } catch (error) {
    if (!(error instanceof LimitNotEnforcedError)) throw error;
    const value = collected.get(error.limit) ?? "";
    throw new UsageError(`--limit ${error.limit}=${value}: this server does not enforce this limit`);
  }
}

/** The limits of a server of files and their defaults, for --help. */
export function limitsHelp(): string {
  const width = Math.max(...servedLimitNames.map((name) => name.length));
  const lines = servedLimitNames.map((name) => `  ${name.padEnd(width)}  ${defaultOf(name)}`);
  return ["Limits, and what they are by default (times such as 500ms or 30s, sizes such as 1MiB):", ...lines].join(
    "\n",
  );
}

/** A limit's default in words. */
export function defaultOf(name: SafetyLimitName): string {
  const value = makeSafetyLimits()[name];
  if (value === null) return "25s";
  if (typeof value === "object") {
    return "grace" in value
      ? `${value.bytesPerSecond} bytes a second, after ${value.grace / 1000}s`
      : `${value.count} in ${value.per / 1000}s`;
  }
  if (value === Infinity) return "none";
  if (/Timeout$|Period$|Age$|Interval$/.test(name)) return `${value / 1000}s`;
  return /Bytes$|Length$|Threshold$/.test(name) ? prettyBytes(value, { binary: true }) : String(value);
}

/** Numbers are written bare, and null is a word; everything else is for the library to read. */
function valueOf(text: string): number | string | null {
  if (text === "null") return null;
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
