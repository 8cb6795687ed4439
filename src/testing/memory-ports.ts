/**
 * A pair of in-memory ports: what one end writes the other reads, with backpressure and half-closing, and no kernel.
 */
import { Duplex } from "node:stream";

/** One end. It counts what passed, as a socket does. */
export class MemoryPort extends Duplex {
  #peer: MemoryPort | null = null;
  /** Told once the peer has room again. */
  #accepted: (() => void) | null = null;
  #read = 0;
  #written = 0;

  /** @internal */
  constructor() {
    super({ allowHalfOpen: true });
  }

  /** Bytes that arrived at this end. */
  get bytesRead(): number {
    return this.#read;
  }

  /** Bytes that were written to this end, those that still wait included. */
  get bytesWritten(): number {
    return this.#written + this.writableLength;
  }

  /** @internal */
  connect(peer: MemoryPort): void {
    this.#peer = peer;
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    const peer = this.#peer;
    if (peer === null || peer.destroyed) {
      done(Object.assign(new Error("the other end is gone"), { code: "EPIPE" }));
      return;
    }
    const accepted = (): void => {
      this.#written += chunk.length;
      done();
    };
    if (peer.#arrive(chunk)) accepted();
    else this.#accepted = accepted;
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#peer !== null && !this.#peer.destroyed) this.#peer.push(null);
    done();
  }

  override _read(): void {
    const peer = this.#peer;
    if (peer !== null) peer.#resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const peer = this.#peer;
    if (peer !== null && !peer.destroyed && !this.writableFinished) {
      // Going away without having ended is a reset, as the other end sees it.
      queueMicrotask(() => peer.destroy(Object.assign(new Error("the other end reset"), { code: "ECONNRESET" })));
    }
    done(error);
  }

  #arrive(chunk: Uint8Array): boolean {
    this.#read += chunk.length;
    return this.push(chunk);
  }

  #resume(): void {
    const accepted = this.#accepted;
    this.#accepted = null;
    accepted?.();
  }
}

/** Makes a connected pair: give `server` to what is tested, and be the client on `client`. */
export function makePortPair(): { server: MemoryPort; client: MemoryPort } {
  const server = new MemoryPort();
  const client = new MemoryPort();
  server.connect(client);
  client.connect(server);
  return { server, client };
}
