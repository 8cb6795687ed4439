/**
 * Time, passed in. Everything in Portreeve that judges time asks a `Clock`; this file is the only one that asks Node.
 */
import { performance } from "node:perf_hooks";

/** What a clock gives back for a wake-up, to take it back with. Opaque. */
export type Wakeup = unknown;

/**
 * A source of time.
 *
 * `now` is in milliseconds, fractional, and never goes backwards; its origin means nothing.
 * `wakeAfter` calls `wake` once, not before `ms` milliseconds have passed and never inside the call, and keeps no
 * process alive. `cancelWakeup` takes a wake-up back; one that has run is ignored.
 */
export interface Clock {
  now(): number;
  wakeAfter(ms: number, wake: () => void): Wakeup;
  cancelWakeup(wakeup: Wakeup): void;
}

/** Node keeps delays in a signed 32-bit number; a longer wait wakes early and is waited for again. */
const longestDelay = 2 ** 31 - 1;

/** The clock of the process: monotonic, unaffected by changes of the wall clock. */
export const systemClock: Clock = {
  now(): number {
    return performance.now();
  },
  wakeAfter(ms: number, wake: () => void): Wakeup {
    return setTimeout(wake, Math.min(Math.ceil(ms), longestDelay)).unref();
  },
  cancelWakeup(wakeup: Wakeup): void {
    clearTimeout(wakeup as NodeJS.Timeout);
  },
};

/** Whether `value` can serve as a clock. */
export function isClock(value: unknown): value is Clock {
  const clock = value as Partial<Clock> | null | undefined;
  return (
    typeof clock === "object" &&
    clock !== null &&
    typeof clock.now === "function" &&
    typeof clock.wakeAfter === "function" &&
    typeof clock.cancelWakeup === "function"
  );
}
