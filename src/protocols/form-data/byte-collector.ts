/**
 * Bytes that come piece by piece, kept in one block. A list of the pieces would cost a client's server hundreds of bytes
 * for every byte that is sent in a chunk of its own.
 */

const empty = Buffer.alloc(0);
const smallest = 64;

export class ByteCollector {
  #block: Buffer = empty;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Copies `data`. Amortized O(bytes); holds at most twice as much as it has. */
  append(data: Uint8Array): void {
    const needed = this.#size + data.length;
    if (needed > this.#block.length) {
      const block = Buffer.allocUnsafeSlow(Math.max(needed, this.#block.length * 2, smallest));
      this.#block.copy(block, 0, 0, this.#size);
      this.#block = block;
    }
    this.#block.set(data, this.#size);
    this.#size = needed;
  }

  /** Hands out what was collected, in a block of its own size, and begins anew. */
  take(): Buffer {
    const all = this.#block.subarray(0, this.#size);
    const exact = all.length === this.#block.length ? all : Buffer.allocUnsafeSlow(all.length);
    if (exact !== all) all.copy(exact);
    this.#block = empty;
    this.#size = 0;
    return exact;
  }
}
