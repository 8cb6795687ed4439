/**
 * One timer: a deadline that can be moved, and an action. Racket entry: `timer`.
 */
import { systemClock } from "../core/clock.ts";
import { checkFunction } from "../core/options.ts";
import { duration } from "../core/units.ts";
import type { Duration } from "../core/units.ts";
import { sharedClock } from "./shared-clock.ts";
import { ended } from "./timing-wheel.ts";
import type { WheelEntry } from "./timing-wheel.ts";
import type { TimerManager } from "./timer-manager.ts";

/**
 * What a timer does when its deadline passes. It is handed the timer's subject, which saves a closure a timer. It runs in
 * nobody's async context: bind it (`AsyncResource.bind`) where it needs one.
 */
export type TimerAction<Subject> = (subject: Subject) => unknown;

/**
 * Runs its action once, when its deadline has passed: never early, late by at most the manager's resolution and the
 * event loop's own delay. Made by `startTimer`.
 *
 * Firing and cancelling are final. Afterwards every verb does nothing and returns false. All verbs are O(1) and none
 * allocates. A timer keeps no process alive.
 */
export class Timer<Subject = undefined> {
  // In this order: what a reset touches lies in one cache line.
  /** @internal */
  at: number;
  /** @internal */
  due: number;
  readonly manager: TimerManager;
  /** @internal */
  previous: WheelEntry | null;
  /** @internal */
  next: WheelEntry | null;
  /** @internal */
  run: TimerAction<Subject>;
  /** @internal */
  readonly subject: Subject;

  /** @internal */
  constructor(manager: TimerManager, at: number, action: TimerAction<Subject>, subject: Subject) {
    this.at = at;
    this.due = ended;
    this.manager = manager;
    this.previous = null;
    this.next = null;
    this.run = action;
    this.subject = subject;
  }

  /** Whether the timer still waits: it has neither fired nor been cancelled. */
  get active(): boolean {
    return this.due !== ended;
  }

  /** When the action runs, in milliseconds of the manager's clock; Infinity for never. Racket entry: `timer-deadline`. */
  get deadline(): number {
    sharedClock.settle();
    return this.at;
  }

  /** Racket entry: `timer-action`. */
  get action(): TimerAction<Subject> {
    return this.run;
  }

  /**
   * The deadline becomes now + `ms`. Racket entry: `reset-timer!`. When many are reset at once, now may be any time until
   * this turn of the event loop is over, never earlier than this call.
   * @returns whether the timer was still waiting.
   */
  reset(ms: Duration): boolean {
    // The clock is read before the timer is touched: reading it stalls until earlier loads are done, and so would wait
    // for the cache miss of a cold timer (a tenth of the whole cost at 100 000 timers).
    const now = sharedClock.now();
    const delay = typeof ms === "number" && ms >= 0 ? ms : duration(ms, "ms");
    const at = now + delay;
    const { manager } = this;
    if (manager.clock === systemClock && manager.putOff(this, at)) {
      sharedClock.wrote(this, at);
      return true;
    }
    return manager.moveTo(this, manager.clock.now() + delay);
  }

  /**
   * Moves the deadline by `ms`, which may be negative. Infinity stays Infinity. Racket entry: `increment-timer!`.
   * @returns whether the timer was still waiting.
   */
  increment(ms: Duration): boolean {
    const delta = typeof ms === "number" && ms - ms === 0 ? ms : duration(ms, "ms", { negative: true });
    sharedClock.settle();
    return this.manager.moveTo(this, this.at + delta);
  }

  /**
   * The deadline becomes now + `ms` and the action `action`. Racket entry: `revise-timer!`.
   * @returns whether the timer was still waiting.
   */
  revise(ms: Duration, action: TimerAction<Subject>): boolean {
    const delay = duration(ms, "ms");
    checkFunction(action, "action");
    if (!this.active) return false;
    this.run = action;
    return this.reset(delay);
  }

  /**
   * The action will never run. Racket entry: `cancel-timer!`.
   * @returns whether the timer was still waiting.
   */
  cancel(): boolean {
    return this.manager.cancel(this);
  }

  [Symbol.dispose](): void {
    this.cancel();
  }
}

/** Marks timers for every copy of this package in the process. */
const brand = Symbol.for("portreeve.timer.v1");
Object.defineProperty(Timer.prototype, brand, { value: true });

export function isTimer(value: unknown): value is Timer<unknown> {
  return typeof value === "object" && value !== null && Reflect.get(value, brand) === true;
}
