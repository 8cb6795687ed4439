/**
 * The bound on shutdowns: each has the same time to finish, so they wait in one queue, oldest first, and need no timer
 * each.
 *
 * Most shutdowns are over long before anyone needs to know when they began, and to read the clock costs as much as all
 * the rest of a shutdown. So only the first one in a while reads it; those that follow within one resolution of the
 * timers get the time at which that while ended. None is expired early, and none later than a timer of its own might be
 * by one resolution.
 */
import type { Timer } from "../timers/timer.ts";
import type { TimerManager } from "../timers/timer-manager.ts";

/** What waits here. The queue writes these fields; for those of `Linked` each custodian would need one more. */
export interface Bounded {
  /** When it is expired, in the clock's milliseconds; null as long as that is not known. */
  deadline: number | null;
  earlier: Bounded | null;
  later: Bounded | null;
  /** Its time is over. It takes itself out of the queue. */
  expire(timeout: number): void;
}

export class Finalizers {
  readonly timers: TimerManager;
  /** Milliseconds. */
  readonly timeout: number;
  #oldest: Bounded | null = null;
  #newest: Bounded | null = null;
  /** Runs while newcomers need not read the clock. */
  #window: Timer<Finalizers> | null = null;
  #expiry: Timer<Finalizers> | null = null;

  constructor(timers: TimerManager, timeout: number) {
    this.timers = timers;
    this.timeout = timeout;
  }

  add(bounded: Bounded): void {
    bounded.earlier = this.#newest;
    if (this.#newest === null) this.#oldest = bounded;
    else this.#newest.later = bounded;
    this.#newest = bounded;
    if (this.#window !== null) return;
    const length = Math.min(this.timers.resolution, this.timeout);
    this.#window = this.timers.start<Finalizers>(length, closeWindow, this);
    bounded.deadline = this.#window.deadline - length + this.timeout;
  }

  /** Ends the wait of one that is in the queue. */
  remove(bounded: Bounded): void {
    const { earlier, later } = bounded;
    if (earlier === null) this.#oldest = later;
    else earlier.later = later;
    if (later === null) this.#newest = earlier;
    else later.earlier = earlier;
    bounded.earlier = null;
    bounded.later = null;
    if (this.#oldest !== null) return;
    this.#expiry?.cancel();
    this.#expiry = null;
  }

  closeWindow(): void {
    this.#window = null;
    const deadline = this.timers.clock.now() + this.timeout;
    for (let bounded = this.#newest; bounded?.deadline === null; bounded = bounded.earlier) {
      bounded.deadline = deadline;
    }
    if (this.#expiry === null) this.expire();
  }

  /** Ends those whose time is over, and waits for the next one. */
  expire(): void {
    this.#expiry = null;
    const now = this.timers.clock.now();
    // What has no deadline yet gets one, and its turn, when the window closes.
    while (this.#oldest !== null && this.#oldest.deadline !== null) {
      if (this.#oldest.deadline > now) {
        this.#expiry = this.timers.start<Finalizers>(this.#oldest.deadline - now, expire, this);
        return;
      }
      this.#oldest.expire(this.timeout);
    }
  }
}

function closeWindow(finalizers: Finalizers): void {
  finalizers.closeWindow();
}

function expire(finalizers: Finalizers): void {
  finalizers.expire();
}
