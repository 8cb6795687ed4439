/**
 * A permit to be served: a disposable, never a counter that someone must remember to lower.
 */

export class Permit {
  #giveBack: (() => void) | null;

  /** @internal */
  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  get isReleased(): boolean {
    return this.#giveBack === null;
  }

  /** Gives the permit back. Once; later calls do nothing. */
  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = null;
    giveBack?.();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
