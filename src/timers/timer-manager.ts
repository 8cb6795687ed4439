/**
 * A timer manager: one wheel, one clock, and at most one wake-up of the clock for all of its timers.
 */
import { checkBoolean, checkClock, checkFunction, checkOptions, optional } from "../core/options.ts";
import { systemClock } from "../core/clock.ts";
import type { Clock, Wakeup } from "../core/clock.ts";
import { ArgumentRangeError, ArgumentTypeError, ManagerDisposedError } from "../core/errors.ts";
import { isThenable, report, warn } from "../core/report.ts";
import { duration } from "../core/units.ts";
import type { Duration } from "../core/units.ts";
import { sharedClock } from "./shared-clock.ts";
import type { Deadline } from "./shared-clock.ts";
import { Timer } from "./timer.ts";
import type { TimerAction } from "./timer.ts";
import { TimingWheel, ended } from "./timing-wheel.ts";
import type { WheelEntry, WheelWork } from "./timing-wheel.ts";

export interface TimerManagerOptions {
  /** How late a timer may fire on a free event loop, in milliseconds, from 1 up. @default 10 */
  resolution?: Duration;
  /** Where time comes from. @default the clock of the process */
  clock?: Clock;
  /** Told when an action throws or rejects. @default a process warning */
  onError?: (error: Error, timer: Timer<unknown>) => unknown;
  /**
   * Whether our own pause counts against a deadline. With true, when a tick comes late by more than the resolution
   * (the event loop was blocked), what is due then gets the lateness on top and a round of I/O first. For the deadlines
   * of clients, whose bytes may be waiting in the kernel. @default false
   */
  forgiving?: boolean;
}

const smallestResolution = 1;
const defaultResolution = 10;
/** A timer that is started with so many milliseconds or more may share its reading of the clock with others. */
const longDelay = 10_000;
/** A loop that is late at this many ticks running is slow rather than paused, and deadlines count again. */
const mostPausesRunning = 3;

/**
 * Runs timers. Racket entry: `timer-manager?`. While no timer is due it does nothing at all, and it keeps no process
 * alive. Start, reset, increment and cancel are O(1); expiry costs what is due.
 */
export class TimerManager {
  readonly clock: Clock;
  readonly #wheel: TimingWheel;
  readonly #onError: (error: Error, timer: Timer<unknown>) => unknown;
  readonly #forgiving: boolean;
  readonly #extend: ((timer: Timer<unknown>) => number | undefined) | undefined;
  #wakeup: Wakeup = undefined;
  /** What `#wakeup` was asked for; Infinity when there is none. */
  #wakeAt = Infinity;
  #ticking = false;
  #pausesRunning = 0;
  #disposed = false;
  /** When this tick began, and what it adds to deadlines because it came late. */
  #now = 0;
  #grant = 0;
  // Bound once, so that a tick allocates no closure.
  readonly #wake: () => void = () => this.#tick();
  readonly #judge = (entry: WheelEntry): number | undefined => {
    if (this.#grant > 0) return entry.at + this.#grant;
    const timer = entry as Timer<unknown>;
    return this.#goOn(timer) ?? this.#fire(timer);
  };

  /** @param extend asked when a timer is due: milliseconds to go on for instead, or undefined to fire. @internal */
  constructor(options?: TimerManagerOptions, extend?: (timer: Timer<unknown>) => number | undefined) {
    const given = checkOptions(options, "options", ["resolution", "clock", "onError", "forgiving"]);
    const resolution = optional(given.resolution, "options.resolution", checkResolution, defaultResolution);
    this.clock = optional(given.clock, "options.clock", checkClock, systemClock);
    this.#onError = optional(
      given.onError,
      "options.onError",
      checkFunction<(error: Error, timer: Timer<unknown>) => unknown>,
      (error) => warn(error, "PortreeveTimerWarning"),
    );
    this.#forgiving = optional(given.forgiving, "options.forgiving", checkBoolean, false);
    this.#extend = extend;
    this.#wheel = new TimingWheel(resolution, this.clock.now());
  }

  /** Milliseconds. */
  get resolution(): number {
    return this.#wheel.resolution;
  }

  /** How many timers wait. */
  get size(): number {
    return this.#wheel.size;
  }

  /** What the wheel did so far, to prove what things cost. */
  get work(): Readonly<WheelWork> {
    return this.#wheel.work;
  }

  /** See `startTimer`. `subject` is handed to the action, so that many timers can share one. */
  start<Subject = undefined>(ms: Duration, action: TimerAction<Subject>, subject?: Subject): Timer<Subject> {
    const delay = typeof ms === "number" && ms >= 0 ? ms : duration(ms, "ms");
    if (typeof action !== "function") throw new ArgumentTypeError("action", "a function", action);
    if (this.#disposed) throw new ManagerDisposedError("the timer manager was disposed of");
    const isShared = delay >= longDelay && this.clock === systemClock;
    const now = isShared ? sharedClock.now() : this.clock.now();
    const timer = new Timer(this, now + delay, action, subject as Subject);
    this.#wheel.add(timer, now);
    if (isShared) sharedClock.wrote(timer, timer.at);
    if (this.#wheel.timeFor(timer) < this.#wakeAt) {
      // A wake-up counts from the real time.
      const read = isShared ? this.clock.now() : now;
      this.#arm(read, read);
    }
    return timer;
  }

  /** Sets a deadline that no timer has to now + `ms`. It is final after `settle`. @internal */
  setDeadline(deadline: Deadline, ms: number): void {
    if (this.clock !== systemClock) {
      deadline.at = this.clock.now() + ms;
      return;
    }
    deadline.at = sharedClock.now() + ms;
    sharedClock.wrote(deadline, deadline.at);
  }

  /** See `SharedClock.settle`. @internal */
  settle(): void {
    sharedClock.settle();
  }

  /** Moves a timer's deadline to a later time, where that is one field write. The hot path. @internal */
  putOff(timer: WheelEntry, at: number): boolean {
    if (!this.#wheel.staysFiled(timer, at)) return false;
    timer.at = at;
    return true;
  }

  /** Moves a timer's deadline to an absolute time. @internal */
  moveTo(timer: WheelEntry, at: number): boolean {
    if (this.putOff(timer, at)) return true;
    if (timer.due === ended) return false;
    const now = this.clock.now();
    this.#wheel.move(timer, at, now);
    if (this.#wheel.timeFor(timer) < this.#wakeAt) this.#arm(now, now);
    return true;
  }

  /** @internal */
  cancel(timer: WheelEntry): boolean {
    if (timer.due === ended) return false;
    this.#wheel.remove(timer);
    return true;
  }

  /** Cancels every timer. Starting one afterwards throws. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#wheel.clear();
    this.clock.cancelWakeup(this.#wakeup);
    this.#wakeAt = Infinity;
  }

  /**
   * Makes sure that a wake-up comes no later than the wheel needs it. One that turns out too early is harmless, and so
   * none is taken back when a timer is cancelled or moves to later. What has been overdue for long counts as overdue
   * since `since`.
   */
  #arm(now: number, since: number): void {
    if (this.#ticking) return;
    const next = this.#wheel.nextTime();
    if (next >= this.#wakeAt) return;
    const at = Math.max(next, since);
    if (at >= this.#wakeAt) return;
    if (this.#wakeAt !== Infinity) this.clock.cancelWakeup(this.#wakeup);
    this.#wakeAt = at;
    this.#wakeup = this.clock.wakeAfter(Math.max(0, at - now), this.#wake, this.#forgiving);
  }

  #tick(): void {
    const now = this.clock.now();
    // What our actions reset counts from now on, and so does not come up in this tick.
    sharedClock.refresh();
    const grant = this.#pause(now - this.#wakeAt);
    this.#now = now;
    this.#grant = grant;
    this.#wakeAt = Infinity;
    this.#ticking = true;
    try {
      this.#wheel.advance(now, this.#judge);
    } finally {
      this.#ticking = false;
    }
    // What fell due while our actions ran is late by our doing, too: lateness counts from the beginning of this tick.
    // After a grant, what is still overdue waits for a wake-up of its own, and so for a round of I/O.
    this.#arm(this.clock.now(), grant > 0 ? now + 1 : now);
  }

  /** The milliseconds to add to what is due now, because we were late and not the client. */
  #pause(lateness: number): number {
    if (!this.#forgiving || lateness <= this.resolution) {
      this.#pausesRunning = 0;
      return 0;
    }
    return this.#pausesRunning++ < mostPausesRunning ? lateness : 0;
  }

  /** The new deadline of a timer that goes on instead of firing. One of which that cannot be told fires. */
  #goOn(timer: Timer<unknown>): number | undefined {
    try {
      const more = this.#extend?.(timer);
      return more === undefined ? undefined : this.#now + more;
    } catch (error) {
      this.#failed(error, timer);
      return undefined;
    }
  }

  #fire(timer: Timer<unknown>): undefined {
    try {
      const result = timer.run(timer.subject);
      if (isThenable(result)) result.then(undefined, (error: unknown) => this.#failed(error, timer));
    } catch (error) {
      this.#failed(error, timer);
    }
    return undefined;
  }

  #failed(error: unknown, timer: Timer<unknown>): void {
    report(this.#onError, error, timer, "PortreeveTimerWarning");
  }
}

function checkResolution(value: unknown, path: string): number {
  const resolution = duration(value, path, { finite: true });
  if (resolution < smallestResolution) {
    throw new ArgumentRangeError(path, `a duration of ${smallestResolution} ms or more`, value);
  }
  return resolution;
}

/** Marks timer managers for every copy of this package in the process. */
const brand = Symbol.for("portreeve.timer-manager.v1");
Object.defineProperty(TimerManager.prototype, brand, { value: true });

export function isTimerManager(value: unknown): value is TimerManager {
  return typeof value === "object" && value !== null && Reflect.get(value, brand) === true;
}

let shared: TimerManager | undefined;

/** The timer manager of the process, on the system clock: for grace periods, finalizers and plain timers. */
export function defaultTimerManager(): TimerManager {
  shared ??= new TimerManager();
  return shared;
}
