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
    this.#open.add(response);
    response.once("close", () => this.#finished(response));
    this.#connection.enter("handling", plan.response);
    if (this.#connection.shouldClose) this.#announceClose();
  }

  /** Between requests no event tells of the first byte of the next; the count of bytes does. @returns whether it has come */
  look(): boolean {
    const connection = this.#connection;
    if (connection.phase !== "idle" || connection.bytesReceived === this.#receivedAtIdle) return false;
    // The first request has been timed since the connection was made.
    connection.enter("reading", this.#first ? undefined : plan.request);
    return true;
  }

  /**
   * The deadline passed: judged by what was sent. A response that has begun is no longer the handler's to hurry; from
   * then on the budget watches whether the client takes it.
   * @returns the milliseconds to go on, or undefined to end
   */
  extension(): number | undefined {
    const connection = this.#connection;
    if (this.look() && !this.#first) return plannedTimeout(plan.request, connection.manager.safetyLimits);
    if (connection.phase === "handling" && this.current?.headersSent === true) {
      connection.enter("sending", plan.sending);
      return Infinity;
    }
    return undefined;
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

  #announceClose(): void {
    // On the newest response only: on an earlier one node:http would drop the requests behind it.
    const newest = [...this.#open].at(-1);
    for (const response of this.#open) if (!response.headersSent) response.shouldKeepAlive = response !== newest;
  }

  #finished(response: ServerResponse): void {
    this.#open.delete(response);
    const connection = this.#connection;
    if (this.#open.size > 0 || connection.closeReason !== null) return;
    this.#first = false;
    this.#receivedAtIdle = connection.bytesReceived;
    if (connection.shouldClose) connection.finish();
    else if (response.shouldKeepAlive && response.writableFinished) connection.enter("idle", plan.idle);
  }
}
