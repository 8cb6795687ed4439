/**
 * Counting what may happen so many times in any span of time.
 */
import type { CountPer } from "./safety-limits.ts";

interface Entry {
  readonly at: number;
  readonly count: number;
}

export class CountWithin {
  readonly #limit: CountPer;
  /** When something was counted, oldest first, and how much each time. What decides nothing any more is forgotten. */
  readonly #entries: Entry[] = [];
  #sum = 0;

  constructor(limit: CountPer) {
    this.#limit = limit;
  }

  /**
   * Counts `count` at the time `now`, in milliseconds.
   * @returns false where these are too many: those that bring the number over the limit, and not those that come while it
   * still is
   */
  add(count: number, now: number): boolean {
    const { count: most, per } = this.#limit;
    if (most === Infinity) return true;
    this.#forget(({ at }) => now - at >= per);
    const wasOver = this.#sum > most;
    this.#entries.push({ at: now, count });
    this.#sum += count;
    // Where nobody is cut a flood goes on: no more of it is kept than tells that it is too much.
    this.#forget((oldest) => now - oldest.at >= per || this.#sum - oldest.count > most);
    return wasOver || this.#sum <= most;
  }

  #forget(isIdle: (oldest: Entry) => boolean): void {
    for (let [oldest] = this.#entries; oldest !== undefined && isIdle(oldest); [oldest] = this.#entries) {
      this.#sum -= oldest.count;
      this.#entries.shift();
    }
  }
}
