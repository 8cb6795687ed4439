/**
 * A permit to be served: a disposable, never a counter that someone must remember to lower.
 */

/** Who gives permits, and takes them back. */
export interface PermitIssuer {
  takeBack(): void;
}

export class Permit {
  #issuer: PermitIssuer | null;

  /** @internal */
  constructor(issuer: PermitIssuer) {
    this.#issuer = issuer;
  }

  get isReleased(): boolean {
    return this.#issuer === null;
  }

  /** Gives the permit back. Once; later calls do nothing. */
  release(): void {
    const issuer = this.#issuer;
    this.#issuer = null;
    issuer?.takeBack();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
