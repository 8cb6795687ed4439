/**
 * A client that takes from its kernel just as many bytes as it is told to: a stream of Node's reads ahead.
 */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** Bytes at once. */
const most = 1000;

/** What it has taken is read from it as from a socket, by TLS for instance. It reads everything until `reads` is called. */
export class PacedClient extends Duplex {
  readonly #socket: Socket;
  /** How many more bytes it may take. */
  #left = Infinity;

  constructor(port: number) {
    super();
    const take = (length: number, buffer: Uint8Array): boolean => {
      this.#left -= length;
      this.push(Buffer.from(buffer.subarray(0, length)));
      return !this.hasRead;
    };
    this.#socket = connect({ port, host: "127.0.0.1", onread: { buffer: Buffer.alloc(most), callback: take } });
    this.#socket.on("error", () => {}).on("end", () => this.push(null));
    this.#socket.on("close", () => this.destroy());
  }

  /** Takes so many bytes more, and a few that it takes less the next time. */
  reads(bytes: number): void {
    this.#left = bytes + Math.min(0, this.#left);
    if (this.hasRead) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Whether it has taken what it was told to. */
  get hasRead(): boolean {
    return this.#left <= 0;
  }

  override _read(): void {}

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
