/**
 * Making a custodian: below a parent, below the current one, or as a root.
 */
import { systemClock } from "../core/clock.ts";
import type { Clock } from "../core/clock.ts";
import { checkClock, checkFunction, checkOptions, checkString, optional } from "../core/options.ts";
import { warn } from "../core/report.ts";
import { duration } from "../core/units.ts";
import type { Duration } from "../core/units.ts";
import { TimerManager, defaultTimerManager } from "../timers/timer-manager.ts";
import { custodianInContext } from "./context.ts";
import { Custodian, checkCustodian } from "./custodian.ts";
import type { Environment } from "./environment.ts";
import { Finalizers } from "./finalizers.ts";

/** Options of a custodian; what is not given is inherited from its parent. */
export interface CustodianOptions {
  /** For people: shown in errors and events. */
  name?: string;
  /** How long a shutdown waits for closers, in milliseconds. @default 5 s */
  finalizerTimeout?: Duration;
  /** Where time comes from. @default the clock of the process */
  clock?: Clock;
  /** Told of each error of a closer. @default a process warning */
  onError?: (error: Error, custodian: Custodian) => unknown;
}

const defaultFinalizerTimeout = 5000;

let shared: Environment | undefined;

/** What a custodian inherits that has no parent. */
function rootEnvironment(): Environment {
  shared ??= environment(defaultTimerManager(), defaultFinalizerTimeout, (error) =>
    warn(error, "PortreeveCustodianWarning"),
  );
  return shared;
}

function environment(timers: TimerManager, finalizerTimeout: number, onError: Environment["onError"]): Environment {
  return { timers, finalizerTimeout, finalizers: new Finalizers(timers, finalizerTimeout), onError };
}

/**
 * Makes a custodian. It ends with its parent; without a parent it ends with the current custodian, and where none is
 * current, or with `null`, it is a root that only its owner ends. Racket entry: `make-custodian`.
 * @throws CustodianShutDownError below a parent that is shut down.
 */
export function makeCustodian(parent?: Custodian | null, options?: CustodianOptions): Custodian {
  const above = parent === undefined ? (custodianInContext() ?? null) : parent;
  if (above !== null) checkCustodian(above, "parent");
  const inherited = above === null ? rootEnvironment() : above.environment;
  if (options === undefined) return new Custodian(above, inherited, undefined);
  const given = checkOptions(options, "options", ["name", "finalizerTimeout", "clock", "onError"]);
  const name = optional(given.name, "options.name", checkString, undefined);
  const clock = optional(given.clock, "options.clock", checkClock, inherited.timers.clock);
  const timeout = optional(
    given.finalizerTimeout,
    "options.finalizerTimeout",
    checkTimeout,
    inherited.finalizerTimeout,
  );
  const onError = optional(given.onError, "options.onError", checkFunction<Environment["onError"]>, inherited.onError);
  const isInherited =
    clock === inherited.timers.clock && timeout === inherited.finalizerTimeout && onError === inherited.onError;
  return new Custodian(
    above,
    isInherited ? inherited : environment(timersOf(clock, inherited), timeout, onError),
    name,
  );
}

function checkTimeout(value: unknown, path: string): number {
  return duration(value, path, { finite: true });
}

function timersOf(clock: Clock, inherited: Environment): TimerManager {
  if (clock === inherited.timers.clock) return inherited.timers;
  return clock === systemClock ? defaultTimerManager() : new TimerManager({ clock });
}
