/**
 * A minimum rate, judged: bytes per second over windows of one grace period.
 *
 * Only time in which we waited for the client is counted, and only as it was observed, so that a pause of our own never
 * counts against anyone. Burst and drip are told apart because a window helps the next one at most, and by no more than a
 * whole window asks for: bytes come in steps that fall on either side of a border.
 *
 * What a client takes is seen in steps of another size: a kernel, or a window, says nothing until a good part of it is free.
 * There a step, which is all that was seen in one window, lasts for as long as the rate gives it, and whoever takes in
 * steps is as fast as its largest one allows.
 */
import type { MinimumRate } from "./safety-limits.ts";

export class RateMeter {
  readonly #rate: MinimumRate;
  /** Bytes that a step can be at most, as far as it helps. */
  readonly #longestStep: number;
  /** The largest so far, and what has become of the present one. */
  #step = 0;
  #seen = 0;
  #bytes = 0;
  #waited = 0;
  /** Whether no window has been judged yet. */
  #isFirst = true;

  /** @param longestStep milliseconds that one step of progress may help for */
  constructor(rate: MinimumRate, longestStep = 0) {
    this.#rate = rate;
    this.#longestStep = (rate.bytesPerSecond * longestStep) / 1000;
  }

  /** Milliseconds of a window; Infinity where nobody is judged. */
  get grace(): number {
    return this.#rate.bytesPerSecond === 0 ? Infinity : this.#rate.grace;
  }

  /** Milliseconds until somebody of whom nothing more is seen is judged. */
  get patience(): number {
    return this.grace - this.#waited;
  }

  /** Whether what came lasts until now, at this rate. */
  get isAhead(): boolean {
    return this.#rate.bytesPerSecond * this.#waited < this.#bytes * 1000;
  }

  /** Forgets the window that is open: we no longer wait, or wait for something else. */
  restart(): void {
    this.#step = 0;
    this.#seen = 0;
    this.#bytes = 0;
    this.#waited = 0;
    this.#isFirst = true;
  }

  /** Of the first bytes, so many had not been taken. Later nobody knows how many of them were counted. */
  takeBack(bytes: number): void {
    if (!this.#isFirst) return;
    this.#bytes -= bytes;
    this.#seen -= bytes;
  }

  /** Counts `bytes` that came in `ms` of waiting. @returns whether the client is still fast enough. */
  observe(bytes: number, ms: number): boolean {
    if (this.#rate.bytesPerSecond === 0) return true;
    this.#bytes += bytes;
    this.#waited += ms;
    this.#seen += bytes;
    if (this.#waited < this.#rate.grace) return true;
    const asked = (this.#rate.bytesPerSecond * this.#waited) / 1000;
    const surplus = this.#bytes - asked;
    this.#step = Math.max(this.#step, Math.min(this.#seen, this.#longestStep));
    this.#seen = 0;
    this.#waited = 0;
    this.#isFirst = false;
    this.#bytes = Math.max(0, Math.min(surplus, Math.max(asked, this.#step)));
    return surplus >= 0;
  }
}
