/**
 * The bytes charged to one custodian, and who wants to know when that changes there or below.
 */
export class Charges {
  #bytes = 0;
  readonly #listeners: Set<() => void> = new Set();

  get bytes(): number {
    return this.#bytes;
  }

  /** Never falls below zero. */
  add(bytes: number): void {
    this.#bytes = Math.max(0, this.#bytes + bytes);
  }

  tellListeners(): void {
    for (const listener of this.#listeners) listener();
  }

  /** @returns how to stop listening */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
