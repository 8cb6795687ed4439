/**
 * The body of a request that is being received: how much of it has come, and whether it is the client that we wait for.
 */
import type { Readable } from "node:stream";
import type { Connection } from "../connection/connection.ts";
import type { SafetyLimits } from "../limits/safety-limits.ts";

const second = 1000;

export class IncomingBody {
  readonly #request: Readable;
  readonly #connection: Connection;
  /** When its head had come. */
  readonly #begun: number;
  #received = 0;
  #pieces = 0;
  #progressAt: number;
  /** Milliseconds in which it was not the client that we waited for. */
  #notAwaited = 0;
  #observedAt: number;
  #complete = false;

  /**
   * @param request the stream that Node hands the body to
   * @param full called when more has come than `most` bytes
   */
  constructor(request: Readable, connection: Connection, most: number, full: () => void) {
    this.#request = request;
    this.#connection = connection;
    this.#begun = this.#progressAt = this.#observedAt = connection.manager.timers.clock.now();
    const push = request.push.bind(request);
    // Node hands it each piece of the body, and null at the end.
    request.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
      this.#came(chunk);
      if (this.#received > most) full();
      return push(chunk, encoding);
    };
  }

  /** Whether all of it has come. */
  get complete(): boolean {
    return this.#complete || this.#request.destroyed || this.#request.readableEnded;
  }

  /** Whether its end has come. */
  get hasEnded(): boolean {
    return this.#complete;
  }

  /** Bytes that have come. */
  get received(): number {
    return this.#received;
  }

  /** In how many pieces they came. */
  get pieces(): number {
    return this.#pieces;
  }

  /** Nobody counts any more. */
  letGo(): void {
    delete (this.#request as Partial<Readable>).push;
  }

  /** When the last of it came. */
  get progressAt(): number {
    return this.#progressAt;
  }

  /** Whether the program takes what comes, so that it is the client that we wait for. */
  get isAwaited(): boolean {
    const { readableFlowing, readableLength, readableHighWaterMark } = this.#request;
    if (this.complete || readableLength >= readableHighWaterMark) return false;
    return readableFlowing === true || this.#request.listenerCount("readable") > 0;
  }

  /** To be called many times a second: the time in which it is not `awaited` is not the client's. */
  observe(now: number, awaited: boolean = this.isAwaited): void {
    if (!awaited) this.#notAwaited += now - this.#observedAt;
    this.#observedAt = now;
  }

  /**
   * When it must have come: later by a second for each `minReceiveRate` bytes that have. Where no rate is asked for, any
   * progress will do.
   */
  deadline({ requestReadTimeout, minReceiveRate }: SafetyLimits): number {
    const { bytesPerSecond } = minReceiveRate;
    const base = bytesPerSecond === 0 ? this.#progressAt : this.#begun + (this.#received / bytesPerSecond) * second;
    return base + this.#notAwaited + requestReadTimeout;
  }

  #came(chunk: unknown): void {
    if (chunk === null) this.#complete = true;
    else if (chunk instanceof Uint8Array) {
      this.#received += chunk.length;
      this.#pieces++;
    }
    this.#progressAt = this.#connection.manager.timers.clock.now();
  }
}
