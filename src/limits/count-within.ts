/**
 * Counting what may happen so many times in any span of time.
 */
import type { CountPer } from "./safety-limits.ts";

export class CountWithin {
  readonly #limit: CountPer;
  /** When something was counted, oldest first, and how much each time. What is older than the span is forgotten. */
  #entries: { at: number; count: number }[] = [];
  #sum = 0;

  constructor(limit: CountPer) {
    this.#limit = limit;
  }

  /**
   * Counts `count` at the time `now`, in milliseconds.
   * @returns whether there were no more than the limit allows. After that its counting is over: the caller acts on it.
   */
  add(count: number, now: number): boolean {
    if (this.#limit.count === Infinity) return true;
    this.#entries.push({ at: now, count });
    this.#sum += count;
    for (let oldest = this.#entries[0]; oldest !== undefined && now - oldest.at >= this.#limit.per;) {
      this.#sum -= oldest.count;
      this.#entries.shift();
      oldest = this.#entries[0];
    }
    return this.#sum <= this.#limit.count;
  }
}
