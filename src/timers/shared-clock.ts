/**
 * One clock reading for many resets, and for many starts of long timers: a reading costs more than all the rest of a reset.
 *
 * A program that resets one timer now and then gets a reading each. When 32 resets or starts have come in quick succession,
 * a burst begins: further ones share a reading until 64 have, or until this turn of the loop is over. While turns go on
 * in which it is worth while, the first of each begins a burst. What is given out in a burst lies `ahead` of the reading,
 * so that no deadline is early while less than that has passed.
 *
 * Whether it has is looked at when the next reading is made. If the program took longer, the deadlines that were written
 * since are moved by all the time that has passed since the reading. So they count from some moment between their reset
 * and that look, never from before. Whoever wants to know a deadline, builds on it or fires what is due settles first.
 */
import { systemClock } from "../core/clock.ts";
import type { Clock } from "../core/clock.ts";

/** Milliseconds. Half of it is for rounding. */
const ahead = 0.1;
const quick = 0.05;
const quickOnesBefore = 32;
const mostAReading = 64;
/** With fewer in a turn, hearing of its end costs more than their readings. */
const worthWhile = 12;

/** What has a deadline, in milliseconds of the clock. */
export interface Deadline {
  at: number;
}

/** The time, for starts and resets alone. See above. */
export class SharedClock {
  readonly #clock: Pick<Clock, "now">;
  /** The last reading, and what a burst gives out for it. */
  #reading = 0;
  #given = 0;
  #quickOnes = 0;
  /** How many more may share the reading; 0 outside a burst. */
  #left = 0;
  /** How many shared the earlier readings of this turn. */
  #shared = 0;
  /** What was written with this reading, and what was written, from the end. */
  readonly #deadlines: (Deadline | null)[] = Array.from({ length: mostAReading }, () => null);
  readonly #written: number[] = Array.from({ length: mostAReading }, () => 0.5);
  /** Bound once, so that a burst allocates no closure. */
  readonly #end: () => void = () => {
    this.settle();
    this.#left = 0;
    this.#deadlines.fill(null);
    if (this.#shared < worthWhile) this.#quickOnes = 0;
  };

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Not before now. Each deadline that is made of it is told to `wrote`. */
  now(): number {
    return this.#left > 0 ? this.#given : this.#read();
  }

  /** `at`, which was made of `now()` just now, is the deadline's new value. */
  wrote(deadline: Deadline, at: number): void {
    if (this.#left === 0) return;
    const left = --this.#left;
    this.#deadlines[left] = deadline;
    this.#written[left] = at;
    if (left === 0) this.#readAgain();
  }

  /** From here on every deadline is final: what was reset will not move by itself. */
  settle(): void {
    if (this.#left > 0 && this.#left < mostAReading) this.#readAgain();
  }

  /** As `settle`, and nothing that is given out from here on was read before. */
  refresh(): void {
    if (this.#left > 0) this.#readAgain();
  }

  #read(): number {
    const now = this.#clock.now();
    if (this.#quickOnes < quickOnesBefore) this.#quickOnes = now - this.#reading > quick ? 0 : this.#quickOnes + 1;
    this.#reading = now;
    if (this.#quickOnes >= quickOnesBefore) this.#begin();
    return now;
  }

  #begin(): void {
    this.#share(this.#reading);
    this.#shared = 0;
    setImmediate(this.#end);
  }

  #share(reading: number): void {
    this.#reading = reading;
    this.#given = reading + ahead;
    this.#left = mostAReading;
  }

  #readAgain(): void {
    const now = this.#clock.now();
    const passed = now - this.#reading;
    if (passed > ahead / 2) this.#correct(passed);
    this.#shared += mostAReading - this.#left;
    this.#share(now);
  }

  /** The program took longer than what was given out lies ahead. */
  #correct(passed: number): void {
    for (let i = mostAReading - 1; i >= this.#left; i--) {
      const deadline = this.#deadlines[i] as Deadline;
      // One that was moved since was read anew.
      if (deadline.at === this.#written[i]) deadline.at += passed;
    }
  }
}

/** For all timers on the system's clock. A clock that the program gives is asked each time. */
export const sharedClock: SharedClock = new SharedClock(systemClock);
