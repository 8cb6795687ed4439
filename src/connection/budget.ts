/**
 * The budget of a connection: whether the client takes what is written to it, and keeps sending what it began.
 *
 * The manager looks at every live connection a few times a second. Time counts only as it was looked at, at most one
 * interval a look, so that a pause of our own never counts against a client. A look at a connection with nothing
 * unsent and nobody waiting costs two property reads.
 */
import { RateMeter } from "../limits/rate.ts";
import type { SafetyLimits } from "../limits/safety-limits.ts";
import { ClientProgress } from "./client-progress.ts";
import type { CloseReason } from "./close-reason.ts";
import type { Connection } from "./connection.ts";
import type { KernelTable } from "./kernel-table.ts";

/**
 * How long more than `maxBufferedBytes` may wait without any progress that anybody sees, in milliseconds; and for as long as
 * what the client took keeps it above `minSendRate`.
 */
export const overfullGrace = 20_000;
/** A step of progress never helps anyone for longer than this, in milliseconds. */
const longestStep = 600_000;
/** How often the kernel is asked about a client that takes nothing, at most, and so long before the client is judged. */
const usualQuestions = 1000;
const lastQuestion = 250;
/**
 * How long a rate is not judged while a question is open and the last answer is old, in milliseconds. Timeouts are judged by
 * what is known in time.
 */
const longestAnswer = 10_000;
/** For limits so short that these would be too long. */
const questionsPerTimeout = 4;

/** What is taken comes in steps, and the next one is not waited for longer than `responseSendTimeout` anyway. */
export function sendRateMeter({ minSendRate, responseSendTimeout }: SafetyLimits): RateMeter {
  return new RateMeter(minSendRate, Math.min(longestStep, responseSendTimeout));
}

export class Budget {
  readonly #limits: SafetyLimits;
  readonly #table: KernelTable;
  readonly #progress: ClientProgress;
  readonly #sendRate: RateMeter;
  readonly #receiveRate: RateMeter;
  #received: number;
  #stalled = 0;
  /** Milliseconds of sending that were not rated yet, and the bytes taken in them. */
  #unrated = 0;
  #taken = 0;
  /** Milliseconds since the kernel has answered. */
  #unheard = 0;
  #wasAsking = false;
  /** Milliseconds since the kernel was asked, or the client was seen to take something. */
  #unasked = 0;

  /** @param table asked about clients of whom nothing is seen */
  constructor(connection: Connection, limits: SafetyLimits, table: KernelTable) {
    this.#limits = limits;
    this.#table = table;
    this.#progress = new ClientProgress(connection);
    this.#sendRate = sendRateMeter(limits);
    this.#receiveRate = new RateMeter(limits.minReceiveRate);
    this.#received = connection.bytesReceived;
    this.#beginSending();
  }

  /** Milliseconds until a client that goes on taking nothing is to be asked about, and then, has taken nothing for too long. */
  get patience(): number {
    const left = this.#limits.responseSendTimeout - this.#stalled;
    const last = this.#lastQuestion;
    return left > last ? left - last : left;
  }

  /** Looks again after `elapsed` milliseconds. @returns why the connection must end, or null. */
  look(connection: Connection, elapsed: number): CloseReason | null {
    return this.#lookAtSending(connection, elapsed) ?? this.#lookAtReceiving(connection, elapsed);
  }

  #lookAtSending(connection: Connection, elapsed: number): CloseReason | null {
    this.#unrated += elapsed;
    const { isAsking } = this.#progress;
    this.#unheard = this.#wasAsking && !isAsking ? 0 : this.#unheard + elapsed;
    this.#wasAsking = isAsking;
    const progress = this.#progress.look(connection);
    const unsent = connection.unsentBytes;
    if (unsent === 0) {
      this.#stalled = 0;
      this.#beginSending();
      return null;
    }
    this.#stalled = progress > 0 ? 0 : this.#stalled + elapsed;
    this.#taken += progress;
    this.#sendRate.takeBack(this.#progress.excess());
    const reason = this.#judge(connection, unsent, isAsking);
    this.#unasked = progress > 0 ? 0 : this.#unasked + elapsed;
    // Where limits only observe, it goes on.
    if (reason !== null && !connection.manager.observeOnly) return reason;
    if (isRated(connection) && this.#mustAsk) {
      this.#unasked = 0;
      this.#wasAsking = true;
      this.#progress.ask(connection, this.#table);
    }
    return reason;
  }

  #judge(connection: Connection, unsent: number, isAsking: boolean): CloseReason | null {
    if (this.#stalled >= this.#limits.responseSendTimeout) return "send-timeout";
    const rated = isRated(connection);
    const isUnknown = isAsking && this.#unheard > usualQuestions && this.#unrated < longestAnswer;
    const isFast = isUnknown || this.#rate();
    const isOverfull = unsent > this.#limits.maxBufferedBytes && this.#stalled >= overfullGrace;
    if (isOverfull && !(rated && this.#sendRate.isAhead)) return "limit";
    return rated && !isFast ? "send-rate" : null;
  }

  /** Whether the client was fast enough since it was rated last. */
  #rate(): boolean {
    const isFast = this.#sendRate.observe(this.#taken, this.#unrated);
    this.#unrated = 0;
    this.#taken = 0;
    return isFast;
  }

  /** What the client's kernel has taken so far is the first step. */
  #beginSending(): void {
    this.#unrated = 0;
    this.#taken = this.#progress.begin();
    this.#sendRate.restart();
  }

  /** Milliseconds until a client of whom nothing more is seen is judged. */
  get #timeLeft(): number {
    const { responseSendTimeout, maxBufferedBytes } = this.#limits;
    const overfull = maxBufferedBytes === Infinity || this.#stalled >= overfullGrace ? Infinity : overfullGrace;
    return Math.min(Math.min(responseSendTimeout, overfull) - this.#stalled, this.#sendRate.patience);
  }

  get #lastQuestion(): number {
    return Math.min(lastQuestion, this.#shortest / questionsPerTimeout);
  }

  get #mustAsk(): boolean {
    // Nobody is judged.
    if (this.#shortest === Infinity && this.#limits.maxBufferedBytes === Infinity) return false;
    if (this.#unasked >= Math.min(usualQuestions, this.#shortest / questionsPerTimeout)) return true;
    return this.#timeLeft <= this.#lastQuestion && this.#unasked >= this.#lastQuestion;
  }

  /** The shortest time that a client has. */
  get #shortest(): number {
    return Math.min(this.#limits.responseSendTimeout, this.#sendRate.grace);
  }

  #lookAtReceiving(connection: Connection, elapsed: number): CloseReason | null {
    const received = connection.bytesReceived;
    const came = received - this.#received;
    this.#received = received;
    if (!connection.waitsForClient || connection.phase === "upgraded") {
      this.#receiveRate.restart();
      return null;
    }
    return this.#receiveRate.observe(came, elapsed) ? null : "receive-rate";
  }
}

/** What is spoken after an upgrade has a pace of its own; and there is no end to it, so a step has to be one that makes room. */
function isRated({ phase }: Connection): boolean {
  return phase !== "upgraded";
}
