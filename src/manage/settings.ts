/**
 * What the environment says about servers that are managed with no code: variables whose names begin with PORTREEVE_.
 * Others of that beginning are nobody's mistake: Kubernetes makes some for a service of this name.
 */
import { ArgumentRangeError, ArgumentTypeError, LimitNotEnforcedError } from "../core/errors.ts";
import { duration } from "../core/units.ts";
import { requireEnforced } from "../limits/enforced.ts";
import { makeSafetyLimits, safetyLimitNames } from "../limits/safety-limits.ts";
import type { SafetyLimitName, SafetyLimits, SafetyLimitsOptions } from "../limits/safety-limits.ts";
import { limitsOn, serverKinds } from "../server/server-kinds.ts";
import { defaultGrace } from "./managed.ts";

/** How the servers of a process are managed. Times are in milliseconds. */
export interface Settings {
  readonly safetyLimits: SafetyLimits;
  /** The limits that were set, whatever to. */
  readonly given: readonly SafetyLimitName[];
  /** What work in flight is granted when the process is told to end. */
  readonly grace: number;
  /** How long everything is still served before that. */
  readonly drainDelay: number;
  /** Servers that listen on these ports are left alone. */
  readonly exclude: ReadonlySet<number>;
  /** Limits cut nothing; what they would have done is published. */
  readonly observeOnly: boolean;
}

/** The variable of each setting; the limits have one each, see `limitVariable`. */
export const variables = {
  grace: "PORTREEVE_GRACE",
  drainDelay: "PORTREEVE_DRAIN_DELAY",
  exclude: "PORTREEVE_EXCLUDE",
  observeOnly: "PORTREEVE_OBSERVE_ONLY",
} as const;

/** Of two signals within so many milliseconds the second is the first once more: npm sends its own beside the terminal's. */
export const signalEcho = 100;

/** Names the descriptor of the pipe on which `portreeve run` hands signals on. */
export const signalDescriptorVariable = "PORTREEVE_SIGNAL_FD";

const enforced: ReadonlySet<SafetyLimitName> = new Set(serverKinds.flatMap(limitsOn));

/** The limits that some kind of server enforces. */
export const managedLimits: readonly SafetyLimitName[] = safetyLimitNames.filter((name) => enforced.has(name));

const limitPrefix = "PORTREEVE_LIMIT_";

/** The variable of a limit: PORTREEVE_LIMIT_RESPONSE_TIMEOUT for `responseTimeout`. */
export function limitVariable(name: SafetyLimitName): string {
  return limitPrefix + name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws ArgumentTypeError or ArgumentRangeError, whose path is the name of the variable */
export function settingsFrom(environment: Environment): Settings {
  const read = (name: string): string | undefined => environment[name] || undefined;
  const limits = limitsFrom(environment);
  const safetyLimits = makeSafetyLimits(limits);
  const grace = read(variables.grace);
  const delay = read(variables.drainDelay);
  return {
    safetyLimits,
    given: Object.keys(limits) as SafetyLimitName[],
    grace:
      grace === undefined
        ? (safetyLimits.shutdownGracePeriod ?? defaultGrace)
        : duration(limitValue(grace), variables.grace),
    drainDelay: delay === undefined ? 0 : duration(limitValue(delay), variables.drainDelay, { finite: true }),
    exclude: portsFrom(read(variables.exclude)),
    observeOnly: flagFrom(read(variables.observeOnly)),
  };
}

/** A limit as text: a number is bare, `null` is a word, and what has two parts is JSON; anything else is an amount with a unit. */
export function limitValue(text: string): unknown {
  if (text === "null") return null;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!text.startsWith("{")) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function limitsFrom(environment: Environment): SafetyLimitsOptions {
  const names = new Map(safetyLimitNames.map((name) => [limitVariable(name), name]));
  const limits: Record<string, unknown> = {};
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(limitPrefix) || !text) continue;
    const name = names.get(variable);
    if (name === undefined) throw new ArgumentTypeError(variable, "the name of a limit after PORTREEVE_LIMIT_", text);
    checkLimit(name, variable, text);
    limits[name] = limitValue(text);
  }
  return limits;
}

/** @throws in terms of the variable what the limits say in terms of their options */
function checkLimit(name: SafetyLimitName, variable: string, text: string): void {
  try {
    const limits = makeSafetyLimits({ [name]: limitValue(text) });
    requireEnforced(limits, enforced, "no server");
  } catch (error) {
    if (error instanceof ArgumentTypeError || error instanceof ArgumentRangeError) {
      const path = error.path.replace(`safetyLimits.${name}`, variable);
      throw new ArgumentRangeError(path, error.expected, text);
    }
    if (!(error instanceof LimitNotEnforcedError)) throw error;
    throw new ArgumentRangeError(variable, "nothing, since no kind of server enforces this limit", text);
  }
}

function portsFrom(text: string | undefined): ReadonlySet<number> {
  if (text === undefined) return new Set();
  const ports = text.split(",").map((part) => part.trim());
  if (!ports.every((port) => /^\d+$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    throw new ArgumentRangeError(variables.exclude, "ports from 1 to 65535 with commas between them", text);
  }
  return new Set(ports.map(Number));
}

const flags: Readonly<Record<string, boolean>> = { "1": true, true: true, "0": false, false: false };

function flagFrom(text: string | undefined): boolean {
  const flag = text === undefined ? false : Object.hasOwn(flags, text) ? flags[text] : undefined;
  if (flag === undefined) throw new ArgumentRangeError(variables.observeOnly, "1, true, 0 or false", text);
  return flag;
}
