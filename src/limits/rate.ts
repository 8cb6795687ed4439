/**
 * A minimum rate, judged: bytes per second over windows of one grace period.
 *
 * Only time in which we waited for the client is counted, and only as it was observed, so that a pause of our own never
 * counts against anyone. Burst and drip are told apart because each window is judged by itself.
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
    const enough = this.#bytes * 1000 >= this.#rate.bytesPerSecond * this.#waited;
    this.restart();
    return enough;
  }
}
