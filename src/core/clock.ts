/**
 * Time, passed in. Everything in Portreeve that judges time asks a `Clock`; this file is the only one that asks Node.
 */
import { AsyncResource } from "node:async_hooks";
import { performance } from "node:perf_hooks";

/** What a clock gives back for a wake-up, to take it back with. Opaque. */
export type Wakeup = unknown;

/**
 * A source of time.
 *
 * `now` is in milliseconds, fractional, and never goes backwards; its origin means nothing.
 * `wakeAfter` calls `wake` once, about `ms` milliseconds later and never inside the call: what it wakes asks `now` whether
 * it is time. With `afterIo`, a round of I/O comes first, so that bytes that wait in the kernel are seen before a deadline
 * is judged; a clock that knows of no I/O may ignore it. It keeps no process alive. `cancelWakeup` takes a wake-up back; one
 * that has run is ignored.
 */
export interface Clock {
  now(): number;
  wakeAfter(ms: number, wake: () => void, afterIo?: boolean): Wakeup;
  cancelWakeup(wakeup: Wakeup): void;
}

/** Node keeps delays in a signed 32-bit number; a longer wait wakes early and is waited for again. */
const longestDelay = 2 ** 31 - 1;

/**
 * A wake-up serves whatever is due then. In the async context of whoever happened to ask for it, it would hand that context
 * to the actions of others, and each to the wake-up that it asks for: one request would be kept for as long as there are
 * timers.
 */
const nobody = new AsyncResource("PortreeveClock");

/**
 * Without I/O first, Node's timer is the wake-up. Node counts whole milliseconds, from the beginning of the loop's turn: but
 * for the millisecond on top, every fifth would come too early and for nothing.
 */
function timeout(ms: number, wake: () => void): NodeJS.Timeout {
  const delay = Math.min(Math.ceil(ms) + 1, longestDelay);
  return nobody.runInAsyncScope(() => setTimeout(wake, delay).unref());
}

/**
 * Node's timer, then an immediate: immediates run after the poll for I/O, timers before it. That is a second turn of the
 * loop a wake-up. Being referenced, the immediate delays the end of the process by one turn at most.
 */
class WakeupAfterIo {
  #immediate: NodeJS.Immediate | undefined;
  readonly #timeout: NodeJS.Timeout;

  constructor(ms: number, wake: () => void) {
    this.#timeout = timeout(ms, () => {
      this.#immediate = setImmediate(wake);
    });
  }

  cancel(): void {
    clearTimeout(this.#timeout);
    clearImmediate(this.#immediate);
  }
}

/** The clock of the process: monotonic, unaffected by changes of the wall clock. */
export const systemClock: Clock = {
  now(): number {
    return performance.now();
  },
  wakeAfter(ms: number, wake: () => void, afterIo?: boolean): Wakeup {
    return afterIo === true ? new WakeupAfterIo(ms, wake) : timeout(ms, wake);
  },
  cancelWakeup(wakeup: Wakeup): void {
    if (wakeup instanceof WakeupAfterIo) wakeup.cancel();
    else clearTimeout(wakeup as NodeJS.Timeout | undefined);
  },
};

/**
 * Keeps the process until `work` has settled, so that whoever waits for it goes on: a paused socket keeps none, nor do our
 * timers. Where time is another than that of the process it may stand still, and nothing is kept.
 */
export function keepProcessFor<T>(work: Promise<T>, clock: Clock): Promise<T> {
  if (clock !== systemClock) return work;
  const keeper = setInterval(() => {}, longestDelay);
  return work.finally(() => clearInterval(keeper));
}

/** Settles when `work` has, or `ms` milliseconds later at the latest. */
export async function settledWithin(work: Promise<unknown>, ms: number, clock: Clock = systemClock): Promise<void> {
  let wakeup: Wakeup;
  const tooLate = new Promise<void>((resolve) => {
    if (ms !== Infinity) wakeup = clock.wakeAfter(ms, resolve);
  });
  await Promise.race([work, tooLate]);
  clock.cancelWakeup(wakeup);
}

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
