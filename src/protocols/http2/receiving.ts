/**
 * The receiving half of one stream: whether the client keeps sending the body that it began.
 */
import { RateMeter } from "../../limits/rate.ts";
import type { MinimumRate } from "../../limits/safety-limits.ts";
import { longestLook } from "./sending.ts";
import type { Cut } from "./sending.ts";

export class StreamReceiving {
  readonly #rate: RateMeter;
  #received = 0;
  #lookedAt: number;

  constructor(rate: MinimumRate, now: number) {
    this.#rate = new RateMeter(rate);
    this.#lookedAt = now;
  }

  /**
   * Looks again, many times a second.
   * @param received all bytes of the body so far
   * @param owed whether it is the client that we wait for
   */
  look(received: number, owed: boolean, now: number): Cut | null {
    const elapsed = Math.min(now - this.#lookedAt, longestLook);
    const came = received - this.#received;
    this.#lookedAt = now;
    this.#received = received;
    if (!owed) this.#rate.restart();
    else if (!this.#rate.observe(came, elapsed)) return { reason: "receive-rate", limit: "minReceiveRate" };
    return null;
  }
}
