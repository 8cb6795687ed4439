/**
 * A connection: a pair of ports, a timer, and the custodian of everything it holds. Racket entry: `connection`.
 */
import type { Readable, Writable } from "node:stream";
import { ArgumentTypeError, IllegalPhaseError } from "../core/errors.ts";
import { defineChannel } from "../core/channels.ts";
import { checkBoolean } from "../core/options.ts";
import type { Duration } from "../core/units.ts";
import type { Custodian } from "../custodian/custodian.ts";
import type { ResourceKind } from "../custodian/resources.ts";
import { warnOfFirstCut } from "../limits/first-cut.ts";
import type { SafetyLimitName } from "../limits/safety-limits.ts";
import type { Timer } from "../timers/timer.ts";
import { closeReasons, isCloseReason } from "./close-reason.ts";
import type { CloseReason } from "./close-reason.ts";
import type { ConnectionManager } from "./connection-manager.ts";
import { plan, plannedTimeout } from "./deadline-plan.ts";
import type { PlannedDeadline } from "./deadline-plan.ts";
import { markPort, unmarkPort } from "./lookup.ts";
import { checkMove } from "./phase.ts";
import type { Phase } from "./phase.ts";
import { closePorts, cutPorts } from "./port-closing.ts";
import { PortPair } from "./port-pair.ts";
import { isAftermath, isDeparture, isProtocolError } from "./ports.ts";
import { Reader } from "./reader.ts";
import type { Speaker } from "./speaker.ts";

const openedChannel = defineChannel<{ connection: Connection }>("portreeve.connection.opened");
const phaseChannel = defineChannel<{ connection: Connection; from: Phase; to: Phase }>("portreeve.connection.phase");
const closedChannel = defineChannel<{ connection: Connection; reason: CloseReason; phase: Phase }>(
  "portreeve.connection.closed",
);
const spareChannel = defineChannel<{ connection: Connection; reason: CloseReason; limit: SafetyLimitName }>(
  "portreeve.connection.spared",
);

let lastId = 0;

/** Made by `newConnection` only. It lasts until its timer fires, it is killed, its custodian is shut down or both ports close. */
export class Connection {
  /** Unique in the process. */
  readonly id: number;
  readonly manager: ConnectionManager;
  /** Its deadline is when the connection ends. Racket entry: `connection-timer`. */
  readonly timer: Timer<Connection>;
  /** Owns what the connection holds; it ends with the connection. Racket entry: `connection-custodian`. */
  readonly custodian: Custodian;
  /** When it was made, in milliseconds of the manager's clock. */
  readonly since: number;
  readonly #ports: PortPair;
  #shouldClose: boolean;
  #phase: Phase = "idle";
  #deadline: PlannedDeadline = plan.request;
  /** Where the plan put the deadline; elsewhere, the program has moved it. */
  #plannedAt: number;
  #deadlineMoved = false;
  #reason: CloseReason | null = null;
  #limit: SafetyLimitName | null = null;
  /** The phase in which the end came. */
  #lastPhase: Phase | null = null;
  #reader: Reader | null = null;
  /** What its protocol knows of it; null where nobody speaks for us. @internal */
  speaker: Speaker | null = null;
  /** The reason to end with once the current job is done. */
  #soon: CloseReason = "completed";
  #soonLimit: SafetyLimitName | null = null;
  /** The limit whose cut was last spared. */
  #spared: SafetyLimitName | null = null;
  #closed: { promise: Promise<CloseReason>; resolve: (reason: CloseReason) => void } | null = null;

  /** @internal */
  constructor(
    manager: ConnectionManager,
    timeout: number,
    input: Readable,
    output: Writable,
    custodian: Custodian,
    shouldClose: boolean,
  ) {
    this.id = ++lastId;
    this.manager = manager;
    this.custodian = custodian;
    this.since = manager.timers.clock.now();
    this.#ports = new PortPair(input, output);
    this.#shouldClose = shouldClose;
    custodian.manage(this, connectionKind);
    // The ports are ours now: shutting the custodian down ends them by ending this connection, last bytes included.
    custodian.release(input);
    custodian.release(output);
    this.timer = manager.timers.start<Connection>(timeout, expire, this);
    this.#plannedAt = this.timer.deadline;
    this.#mark(input, output);
    if (openedChannel.hasSubscribers) openedChannel.publish({ connection: this });
  }

  /** Racket entry: `connection-i-port`. */
  get input(): Readable {
    return this.#ports.input;
  }

  /** Racket entry: `connection-o-port`. */
  get output(): Writable {
    return this.#ports.output;
  }

  /** The input below the present one, where a handshake has put a layer on top of it. */
  get raw(): Readable | null {
    return this.#ports.rawInput;
  }

  /** The output below the present one; of a socket it is the same as `raw`. */
  get rawOutput(): Writable | null {
    return this.#ports.rawOutput;
  }

  /** Whether it is to end after the current job. Racket entry: `connection-close?`. */
  get shouldClose(): boolean {
    return this.#shouldClose;
  }

  set shouldClose(value: boolean) {
    this.#shouldClose = checkBoolean(value, "shouldClose");
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Why it ended, or null. Set once, by the first cause. */
  get closeReason(): CloseReason | null {
    return this.#reason;
  }

  /** The limit that ended it, or null. */
  get closeLimit(): SafetyLimitName | null {
    return this.#limit;
  }

  /** The phase in which its end came, or null. */
  get lastPhase(): Phase | null {
    return this.#lastPhase;
  }

  /** Settles with the reason when both ports have closed; never rejects. */
  get closed(): Promise<CloseReason> {
    if (this.#closed === null) {
      let resolve!: (reason: CloseReason) => void;
      const promise = new Promise<CloseReason>((settle) => (resolve = settle));
      this.#closed = { promise, resolve };
      if (this.#phase === "closed" && this.#reason !== null) resolve(this.#reason);
    }
    return this.#closed.promise;
  }

  /** Bounded reading from the input. Use either this or the input itself. */
  get reader(): Reader {
    this.#reader ??= new Reader(this);
    return this.#reader;
  }

  /** Bytes that were written and have not left the process. @internal */
  get unsentBytes(): number {
    return this.#ports.unsentBytes;
  }

  /** Bytes that have come and were not read by the program. @internal */
  get unreadBytes(): number {
    return this.#ports.input.readableLength + (this.#reader?.buffered ?? 0);
  }

  /** Bytes in memory on behalf of this connection. */
  get bufferedBytes(): number {
    return this.unreadBytes + this.unsentBytes;
  }

  /**
   * Ends the connection: the timer is cancelled, the output closed and then the input, the custodian shut down. The
   * first call decides; later ones do nothing. Returns at once; `closed` tells when it is over, which is when the client
   * has taken the bytes written so far, or `lingerTimeout` later. Racket entry: `kill-connection!`.
   */
  kill(reason: CloseReason = "killed"): void {
    if (!isCloseReason(reason)) throw new ArgumentTypeError("reason", "a close reason", reason);
    this.end(reason);
  }

  /** Moves the deadline by `ms`, which may be negative. Racket entry: `adjust-connection-timeout!`. @returns whether it was still open */
  adjustTimeout(ms: Duration): boolean {
    this.#deadlineMoved = true;
    return this.timer.increment(ms);
  }

  /** The deadline becomes now + `ms`. Racket entry: `reset-connection-timeout!`. @returns whether it was still open */
  resetTimeout(ms: Duration): boolean {
    this.#deadlineMoved = true;
    return this.timer.reset(ms);
  }

  /** Whether the program has moved the deadline since the plan set it. @internal */
  get deadlineMoved(): boolean {
    return this.#deadlineMoved;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.end("killed");
    return this.closed.then(() => undefined);
  }

  /** Moves to a phase of the protocol and, where one is given, to its deadline. @internal */
  enter(phase: Phase, deadline?: PlannedDeadline): void {
    if (this.#reason !== null || !this.#move(phase) || deadline === undefined) return;
    this.#deadline = deadline;
    this.#deadlineMoved = false;
    this.timer.reset(plannedTimeout(deadline, this.manager.safetyLimits));
    this.#plannedAt = this.timer.deadline;
    if (phase === "idle") this.#endIfSoon();
  }

  /** The deadline has passed: milliseconds to go on for, or undefined to end. @internal */
  extend(): number | undefined {
    const more = this.speaker?.extend?.();
    const { limit, reason } = this.#deadline;
    return more !== undefined || limit === "none" || this.mayCut(reason, limit) ? more : Infinity;
  }

  /** Puts a layer on top of the ports: what is above is used from now on, and what is below is closed with it. @internal */
  replacePorts(input: Readable, output: Writable): void {
    if (!this.#ports.putOnTop(input, output)) return;
    this.#reader = null;
    this.#mark(input, output);
    if (this.#reason !== null) this.#closePorts();
  }

  /** Lets the current job finish, and then ends for `reason`. At once where there is no job. @internal */
  endSoon(reason: CloseReason, limit: SafetyLimitName | null = null): void {
    const cause = limit ?? closeReasons[reason].limit;
    if (cause !== null && !this.mayCut(reason, cause)) return;
    if (this.#soon === "completed") {
      this.#soon = reason;
      this.#soonLimit = limit;
    }
    this.#shouldClose = true;
    this.#endIfSoon();
  }

  /** Whether it ends after the current job for a reason of the server's. @internal */
  get endsSoon(): boolean {
    return this.#soon !== "completed";
  }

  /** The job is done and the connection is to close. @internal */
  finish(): void {
    this.end(this.#soon, this.#soonLimit);
  }

  /** See `kill`. `limit` names the limit where that is the reason. @internal */
  end(reason: CloseReason, limit: SafetyLimitName | null = null): void {
    if (this.#reason !== null) return;
    const cause = limit ?? closeReasons[reason].limit;
    if (cause !== null && !this.mayCut(reason, cause)) return;
    this.#reason = reason;
    this.#limit = cause;
    // Going quiet between requests is no fault, and its end no cut.
    if (this.#limit !== null && reason !== "idle-timeout") warnOfFirstCut(this.#limit, this.manager.safetyLimits);
    this.#lastPhase = this.#phase;
    this.timer.cancel();
    this.#move("draining");
    if (!this.#ports.output.destroyed) this.speaker?.lastWords?.(reason);
    this.#reader?.stop();
    this.#closePorts();
    // The shutdown waits for our ports only where it began it: a permit waits for both by itself.
    if (!this.custodian.isShutDown) this.custodian.release(this);
    void this.custodian.shutdownAll(reason);
    this.#finishIfClosed();
  }

  /** Ends what is left of an end that has begun: nobody is waited for any more. @internal */
  cut(): void {
    if (this.#phase === "draining") cutPorts(this.#ports);
  }

  /** @internal */
  portClosed(): void {
    if (!this.#ports.areClosed) return;
    // A port that the program closed by itself never showed us the client's end.
    if (this.#reason !== null) this.#finishIfClosed();
    // The same goes for a TLS handshake, which reads below the port.
    else this.end(this.#ports.input.readableEnded || this.#phase === "handshaking" ? "client-ended" : "completed");
  }

  /** @internal */
  portFailed(error: Error): void {
    if (this.#reason !== null) {
      if (!isAftermath(error) && !isProtocolError(error)) this.manager.fail(error, this);
      return;
    }
    if (isDeparture(error)) {
      this.end("client-reset");
      return;
    }
    if (isProtocolError(error)) {
      this.end("protocol-error");
      return;
    }
    this.manager.fail(error, this);
    this.end("internal-error");
  }

  /** The reader took bytes from the port. @internal */
  bytesArrived(): void {
    if (this.#phase !== "idle") return;
    if (this.#deadline !== plan.idle) this.enter("reading");
    else if (this.timer.deadline === this.#plannedAt) this.enter("reading", plan.request);
    else {
      // A deadline that the program has moved is not moved by progress.
      this.#deadline = plan.request;
      this.enter("reading");
    }
  }

  /** All bytes received, as far as the port tells. @internal */
  get bytesReceived(): number {
    return this.#ports.bytesRead ?? this.#reader?.received ?? 0;
  }

  /** All bytes received and handed to the output, as far as the ports tell. @internal */
  get bytesPassed(): number {
    return this.bytesReceived + this.#ports.bytesWritten;
  }

  /** Whether the program waits for the rest of something that the client has begun. @internal */
  get waitsForClient(): boolean {
    return this.#reader?.waitsMidItem === true || this.speaker?.waitsForClient === true;
  }

  /** Whether a limit is to cut something of this connection; where the manager only observes, it is published instead. @internal */
  mayCut(reason: CloseReason, limit: SafetyLimitName): boolean {
    if (!this.manager.observeOnly) return true;
    this.#spare(reason, limit);
    return false;
  }

  #spare(reason: CloseReason, limit: SafetyLimitName): void {
    if (this.#spared === limit) return;
    this.#spared = limit;
    if (spareChannel.hasSubscribers) spareChannel.publish({ connection: this, reason, limit });
  }

  #move(to: Phase): boolean {
    const from = this.#phase;
    if (from === to) return true;
    try {
      checkMove(from, to);
    } catch (error) {
      this.#illegalMove(error as IllegalPhaseError);
      return false;
    }
    this.#phase = to;
    if (phaseChannel.hasSubscribers) phaseChannel.publish({ connection: this, from, to });
    return true;
  }

  /** Throws in tests; in production it ends this connection, and no other. */
  #illegalMove(error: IllegalPhaseError): void {
    if (process.env["NODE_ENV"] === "test") throw error;
    this.manager.fail(error, this);
    this.end("internal-error");
  }

  #closePorts(): void {
    if (this.#reason === null) return;
    const { plainTimers, safetyLimits } = this.manager;
    // Too much that the client does not take: waiting for it to take it helps nobody.
    const manner = this.#limit === "maxBufferedBytes" ? "reset" : closeReasons[this.#reason].manner;
    closePorts(this.#ports, manner, plainTimers, safetyLimits.lingerTimeout);
  }

  /**
   * Gives the ports back to the program: from now on nothing of it is timed, counted or closed by us. One whose end has
   * begun goes on ending. @internal
   */
  letGo(): void {
    if (this.#reason !== null) return;
    this.speaker?.letGo?.();
    this.speaker = null;
    this.timer.cancel();
    this.#reason = "completed";
    this.#lastPhase = this.#phase;
    this.#phase = "closed";
    for (const port of this.#ports.all()) unmarkPort(port, this);
    this.custodian.release(this);
    this.manager.forget(this);
    this.#closed?.resolve("completed");
  }

  #mark(input: Readable, output: Writable): void {
    markPort(input, this);
    if (output !== (input as unknown)) markPort(output, this);
  }

  /** Ends an idle connection that was to end after its job. */
  #endIfSoon(): void {
    if (this.endsSoon && this.#phase === "idle" && !this.#hasBegun()) this.finish();
  }

  /** Whether a request has begun that no phase tells of yet. */
  #hasBegun(): boolean {
    if (this.unreadBytes > 0 || this.#reader?.hasBegun === true) return true;
    // A program that reads the input by itself, without the reader; during the first request the port's count tells.
    return (
      this.#reader?.engaged !== true &&
      this.#deadline === plan.request &&
      this.#ports.rawInput === null &&
      this.bytesReceived > 0
    );
  }

  #finishIfClosed(): void {
    if (this.#phase !== "draining" || this.#reason === null || !this.#ports.areClosed) return;
    this.#move("closed");
    this.custodian.release(this);
    this.manager.forget(this);
    if (closedChannel.hasSubscribers) {
      closedChannel.publish({ connection: this, reason: this.#reason, phase: this.#lastPhase ?? "closed" });
    }
    this.#closed?.resolve(this.#reason);
  }

  /** The timer fired. @internal */
  expire(): void {
    this.end(this.#deadline.reason);
  }
}

/** One function for all timers of all connections. */
function expire(connection: Connection): void {
  connection.expire();
}

/** How a custodian ends the connections under it. */
const connectionKind: ResourceKind<Connection> = {
  name: "connection",
  shutDown(connection) {
    connection.end("owner-shutdown");
    return connection.phase === "closed" ? undefined : connection.closed;
  },
};

const brand = Symbol.for("portreeve.connection.v1");
Object.defineProperty(Connection.prototype, brand, { value: true });

/** Racket entry: `connection?`. True for connections of every copy of this package in the process. */
export function isConnection(value: unknown): value is Connection {
  return typeof value === "object" && value !== null && Reflect.get(value, brand) === true;
}
