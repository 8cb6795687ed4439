/**
 * A minimum rate, judged: bytes per second over windows of one grace period.
 *
 * Only time in which we waited for the client is counted, and only as it was observed, so that a pause of our own never
 * counts against anyone. Burst and drip are told apart because a window helps the next one at most, and by no more than a
 * whole window asks for: the kernel tells of what a client takes in steps that fall on either side of a border.
 */
import type { MinimumRate } from "./safety-limits.ts";

export class RateMeter {
  readonly #rate: MinimumRate;
  #bytes = 0;
  #waited = 0;

  constructor(rate: MinimumRate) {
    this.#rate = rate;
  }

  /** Forgets the window that is open: we no longer wait, or wait for something else. */
  restart(): void {
    this.#bytes = 0;
    this.#waited = 0;
  }

  /** Counts `bytes` that came in `ms` of waiting. @returns whether the client is still fast enough. */
  observe(bytes: number, ms: number): boolean {
    this.#bytes += bytes;
    this.#waited += ms;
    if (this.#waited < this.#rate.grace) return true;
    const asked = (this.#rate.bytesPerSecond * this.#waited) / 1000;
    const surplus = this.#bytes - asked;
    this.restart();
    this.#bytes = Math.max(0, Math.min(surplus, asked));
    return surplus >= 0;
  }
}
