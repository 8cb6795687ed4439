/** How long this process could not run, because of other tests and other programs. */
import { performance } from "node:perf_hooks";
import type { TestContext } from "node:test";

/** Milliseconds between looks; what a look is late by more than once that is a pause. */
const every = 10;
/** So many milliseconds of pauses may be the reason of a failure. */
const disturbing = 150;
const attempts = 5;

/** Adds up the pauses from now on. */
export class Pauses {
  #last = performance.now();
  #sum = 0;
  readonly #timer: NodeJS.Timeout = setInterval(() => this.#look(), every);

  /** Milliseconds. */
  end(): number {
    clearInterval(this.#timer);
    this.#look();
    return this.#sum;
  }

  #look(): void {
    const now = performance.now();
    this.#sum += Math.max(0, now - this.#last - 2 * every);
    this.#last = now;
  }
}

/**
 * Plays what is judged by the real clock. Where it fails while this process could hardly run it proves nothing, and is
 * played again; where the process ran, the failure is one.
 */
export async function undisturbed(t: TestContext, play: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const pauses = new Pauses();
    try {
      await play();
      return;
    } catch (error) {
      const paused = pauses.end();
      if (paused < disturbing || attempt === attempts) throw error;
      t.diagnostic(`played again: of its time, ${Math.round(paused)} ms were others'`);
    } finally {
      pauses.end();
    }
  }
}
