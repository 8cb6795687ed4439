/**
 * The exchanges of one HTTP/1.1 connection: the requests that were read and not yet answered, oldest first. Their number
 * and state decide the connection's phase.
 */
import type { ServerResponse } from "node:http";
import type { Connection } from "../../connection/connection.ts";
import { plan, plannedTimeout } from "../../connection/deadline-plan.ts";

export class Exchanges {
  readonly #connection: Connection;
  readonly #open: Set<ServerResponse> = new Set();
  /** Bytes received when the wait for the present request began. */
  #receivedAtIdle = 0;
  #first = true;
  /** The response that was told to say `Connection: close`. */
  #told: ServerResponse | null = null;
  /** The status of what the parser refused. */
  parserStatus: number | null = null;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#receivedAtIdle = connection.bytesReceived;
  }

  /** The response that is due next, or undefined between requests. */
  get current(): ServerResponse | undefined {
    const [oldest] = this.#open;
    return oldest;
  }

  /** A request's head was read: its handler is about to run. */
  begin(response: ServerResponse): void {
    // A program that passes an expectation on as a request brings the same response again.
    if (this.#open.has(response)) return;
    this.#open.add(response);
    response.once("close", () => this.#finished(response));
    this.#connection.enter("handling", plan.response);
    if (this.#connection.shouldClose) this.#announceClose();
  }

  /** Another protocol takes the connection over; its time is its own. */
  upgrade(): void {
    this.#connection.enter("upgraded", plan.sending);
  }

  /**
   * What no event tells: the first byte of a request, which the count of bytes shows, and the begin of a response. One
   * that has begun is no longer the handler's to hurry; from then on the budget watches whether the client takes it.
   */
  look(): void {
    const connection = this.#connection;
    if (connection.phase === "idle" && connection.bytesReceived !== this.#receivedAtIdle) {
      // The first request has been timed since the connection was made.
      connection.enter("reading", this.#first ? undefined : plan.request);
    } else if (connection.phase === "handling" && this.current?.headersSent === true) {
      connection.enter("sending", plan.sending);
    }
  }

  /** The deadline passed: judged by what has come and gone since it was set. @returns the milliseconds to go on, or undefined to end */
  extension(): number | undefined {
    const connection = this.#connection;
    const before = connection.phase;
    this.look();
    if (connection.phase === before) return undefined;
    if (connection.phase === "sending") return Infinity;
    return this.#first ? undefined : plannedTimeout(plan.request, connection.manager.safetyLimits);
  }

  /** The server drains: idle ends at once, what is in flight is answered and told that it was the last. */
  drain(): void {
    this.look();
    this.#connection.endSoon("drained");
    this.#announceClose();
  }

  /** Takes the socket from node:http, so that what still comes is thrown away rather than parsed. */
  leaveSocketToUs(): void {
    const { input } = this.#connection;
    for (const event of ["data", "end", "drain", "timeout"]) input.removeAllListeners(event);
    // A listener of ours makes the socket give bytes to JavaScript again instead of the parser.
    input.on("data", () => {});
  }

  /** On the newest response only: on an earlier one node:http would drop the requests behind it. */
  #announceClose(): void {
    const newest = [...this.#open].at(-1);
    if (newest === undefined || newest === this.#told) return;
    if (this.#told !== null && !this.#told.headersSent) this.#told.shouldKeepAlive = true;
    this.#told = !newest.headersSent && newest.shouldKeepAlive ? newest : null;
    newest.shouldKeepAlive = false;
  }

  #finished(response: ServerResponse): void {
    this.#open.delete(response);
    const connection = this.#connection;
    if (connection.closeReason !== null || connection.phase === "upgraded") return;
    if (this.#open.size > 0) {
      // The next of several that came together. Its time begins when its turn has come.
      connection.enter("handling", plan.response);
      return;
    }
    this.#first = false;
    this.#receivedAtIdle = connection.bytesReceived;
    if (connection.shouldClose) connection.finish();
    else if (response.shouldKeepAlive && response.writableFinished) connection.enter("idle", plan.idle);
  }
}
