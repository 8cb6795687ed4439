/**
 * A clock moved by hand, for tests: nothing happens between two calls of `advance`.
 */
import type { Clock, Wakeup } from "./clock.ts";
import { duration } from "./units.ts";
import type { Duration } from "./units.ts";

interface Pending {
  at: number;
  wake: () => void;
}

/**
 * A `Clock` whose time moves only when told to.
 *
 * It starts at 0. Wake-ups run inside `advance`, in the order of their times, with `now` standing at each one's own
 * time, so that nothing is ever late. `stall` is the opposite: time passes while nothing runs, as when a handler blocks
 * the event loop, and the next `advance` finds its wake-ups late.
 */
export class ManualClock implements Clock {
  #now = 0;
  readonly #pending: Set<Pending> = new Set();

  now(): number {
    return this.#now;
  }

  /** How many wake-ups are waiting: 0 means that whatever uses this clock costs nothing now. */
  get pending(): number {
    return this.#pending.size;
  }

  wakeAfter(ms: number, wake: () => void): Wakeup {
    const pending: Pending = { at: this.#now + Math.max(0, ms), wake };
    this.#pending.add(pending);
    return pending;
  }

  cancelWakeup(wakeup: Wakeup): void {
    this.#pending.delete(wakeup as Pending);
  }

  /** Moves time on by `ms` and runs every wake-up that falls due on the way. `advance(0)` runs what is due now. */
  advance(ms: Duration): void {
    const end = this.#now + duration(ms, "ms", { finite: true });
    for (let next = this.#earliest(end); next !== undefined; next = this.#earliest(end)) {
      this.#pending.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    // A wake-up may itself have moved time further on.
    this.#now = Math.max(this.#now, end);
  }

  /** Lets `ms` pass while nothing runs: the event loop is blocked. What fell due meanwhile runs, late, in `advance`. */
  stall(ms: Duration): void {
    this.#now += duration(ms, "ms", { finite: true });
  }

  #earliest(end: number): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.at <= end && (first === undefined || pending.at < first.at)) first = pending;
    }
    return first;
  }
}
