/**
 * Control frames, judged without seeing any: Node shows no frames, but it counts bytes. What a client has sent and what was
 * neither head nor body, nor the window updates that our own bytes call for, was control frames.
 *
 * An allowance is granted for everything that is known to have come:
 *  - a head: all its names and values, and 8 bytes for each pair, though compressed it was smaller; and 64 for what belongs
 *    to each stream: its priority, its end, a window update;
 *  - a body: its bytes and 10 for each piece; and 512 for trailers;
 *  - a body that nobody waits for any more: what may still be on its way, which is one window;
 *  - what we send: 26 bytes for each KiB, which is two window updates.
 * The rest counts as frames of the smallest size, which is 9 bytes. What is left of an allowance is kept up to a bound, so
 * that nobody saves it for a flood.
 */
import { CountWithin } from "../../limits/count-within.ts";
import type { CountPer } from "../../limits/safety-limits.ts";

const smallestFrame = 9;
/** The preface, the settings and the first window update, with as much again. */
const handshake = 256;
const updatesPerByteSent = 26 / 1024;
const savings = 65_536;
/** Half a head looks like control frames until it is whole. */
const mostOwed = 512;
/** What answers a control frame is as long as it; over TLS, in a record of its own, up to so many times as long. */
const answerOverTls = 10;

export const allowances = { pair: 8, stream: 64, piece: 10, trailers: 512 } as const;

export class ControlFrames {
  readonly #counted: CountWithin;
  #allowance = handshake;
  /** What was allowed since the last look. */
  #allowed = 0;
  /** Bytes of answers to control frames that were not sent yet. */
  #owed = 0;
  /** How much longer what answers a control frame may be. */
  #answer = 1;
  /** All bytes sent that no control frame has called for: those are no progress of anybody's. */
  served = 0;
  #mostSaved = savings;
  #received = 0;
  #sent = 0;

  constructor(limit: CountPer) {
    this.#counted = new CountWithin(limit);
  }

  /**
   * What has passed already is nobody's concern: see `look`.
   * @param isEncrypted whether what is sent is counted with what TLS adds to it
   */
  startAt(received: number, sent: number, isEncrypted: boolean): void {
    if (isEncrypted) this.#answer = answerOverTls;
    this.#received = received;
    this.#sent = sent;
  }

  /** So many bytes are known to be no control frames, or will be when they come. */
  allow(bytes: number): void {
    this.#allowance += bytes;
    this.#allowed += bytes;
  }

  /** So many bytes may still come for a stream that has ended. */
  allowLate(bytes: number): void {
    this.#allowance += bytes;
    this.#mostSaved = Math.max(this.#mostSaved, savings + bytes);
  }

  /**
   * To be called many times a second.
   * @param received all bytes received so far, above TLS
   * @param sent all bytes sent so far
   * @returns whether there are no more frames than the limit allows
   */
  look(received: number, sent: number, now: number): boolean {
    const fresh = received - this.#received;
    const answered = sent - this.#sent;
    this.#owed += Math.max(0, fresh - this.#allowed) * this.#answer;
    this.#allowed = 0;
    this.served += Math.max(0, answered - this.#owed);
    this.#owed = Math.min(mostOwed, Math.max(0, this.#owed - answered));
    this.#allowance += answered * updatesPerByteSent;
    this.#received = received;
    this.#sent = sent;
    const frames = Math.max(0, fresh - this.#allowance) / smallestFrame;
    this.#allowance = Math.min(Math.max(0, this.#allowance - fresh), this.#mostSaved);
    return frames === 0 || this.#counted.add(frames, now);
  }
}
