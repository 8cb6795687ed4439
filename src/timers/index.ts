/**
 * `portreeve/timers`: many cheap timers whose deadlines move all the time.
 *
 * ```ts
 * import { connect } from "node:net";
 * import { startTimer, startTimerManager } from "portreeve/timers";
 *
 * const socket = connect(7000);
 * const timers = startTimerManager();
 * const timer = startTimer(timers, "30s", () => socket.destroy());
 * socket.on("data", () => timer.reset("30s"));
 * socket.on("close", () => timer.cancel());
 * ```
 */
import { ArgumentTypeError } from "../core/errors.ts";
import type { Duration } from "../core/units.ts";
import { isTimer } from "./timer.ts";
import type { Timer, TimerAction } from "./timer.ts";
import { TimerManager, isTimerManager } from "./timer-manager.ts";
import type { TimerManagerOptions } from "./timer-manager.ts";

export type { Clock, Wakeup } from "../core/clock.ts";
export type { Duration } from "../core/units.ts";
export { isTimer, isTimerManager };
export type { Timer, TimerAction, TimerManager, TimerManagerOptions };

/** Makes a timer manager; it needs no stopping, and disposing of it cancels its timers. Racket entry: `start-timer-manager`. */
export function startTimerManager(options?: TimerManagerOptions): TimerManager {
  return new TimerManager(options);
}

/**
 * Starts a timer that runs `action` once, `ms` from now. The caller owns it. When many of ten seconds or more are
 * started at once, now may be any time until this turn of the event loop is over, never earlier than this call.
 * Racket entry: `start-timer`.
 */
export function startTimer(manager: TimerManager, ms: Duration, action: () => unknown): Timer {
  if (!isTimerManager(manager)) throw new ArgumentTypeError("manager", "a timer manager", manager);
  return manager.start(ms, action);
}

/** See `Timer.reset`. Racket entry: `reset-timer!`. */
export function resetTimer<Subject>(timer: Timer<Subject>, ms: Duration): boolean {
  return checkTimer(timer).reset(ms);
}

/** See `Timer.increment`. Racket entry: `increment-timer!`. */
export function incrementTimer<Subject>(timer: Timer<Subject>, ms: Duration): boolean {
  return checkTimer(timer).increment(ms);
}

/** See `Timer.revise`. Racket entry: `revise-timer!`. */
export function reviseTimer<Subject>(timer: Timer<Subject>, ms: Duration, action: TimerAction<Subject>): boolean {
  return checkTimer(timer).revise(ms, action);
}

/** See `Timer.cancel`. Racket entry: `cancel-timer!`. */
export function cancelTimer<Subject>(timer: Timer<Subject>): boolean {
  return checkTimer(timer).cancel();
}

function checkTimer<Subject>(value: Timer<Subject>): Timer<Subject> {
  if (!isTimer(value)) throw new ArgumentTypeError("timer", "a timer", value);
  return value;
}
