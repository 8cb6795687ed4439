/**
 * A connection: a pair of ports, a timer, and the custodian of everything it holds. Racket entry: `connection`.
 */
import type { Readable, Writable } from "node:stream";
import { ArgumentTypeError } from "../core/errors.ts";
import { checkBoolean } from "../core/options.ts";
import type { Duration } from "../core/units.ts";
import type { Custodian } from "../custodian/custodian.ts";
import { warnOfFirstCut } from "../limits/first-cut.ts";
import type { SafetyLimitName } from "../limits/safety-limits.ts";
import type { Timer } from "../timers/timer.ts";
import type { Budget } from "./budget.ts";
import { closeReasons, isCloseReason } from "./close-reason.ts";
import type { CloseReason } from "./close-reason.ts";
import { tellClosed, tellOpened, tellPhase } from "./connection-events.ts";
import type { ConnectionHost } from "./connection-host.ts";
import type { ConnectionManager } from "./connection-manager.ts";
import { plan } from "./deadline-plan.ts";
import type { PlannedDeadline } from "./deadline-plan.ts";
import type { Ending } from "./ending.ts";
import { sayLastWords } from "./last-words.ts";
import { connectionBrand, hearErrors, markPorts, unmarkPort } from "./lookup.ts";
import { endOwn, letGoOwn, makeOwnCustodian, own } from "./own-custodian.ts";
import { checkMove } from "./phase.ts";
import type { Phase } from "./phase.ts";
import { closePortsFor, cutPorts } from "./port-closing.ts";
import type { PortsBelow } from "./port-pair.ts";
import { isAftermath, isDeparture, isProtocolError } from "./ports.ts";
import type { Reader } from "./reader.ts";
import { Settlement } from "./settlement.ts";
import { spare } from "./spared.ts";
import type { Speaker } from "./speaker.ts";
import { Traffic } from "./traffic.ts";

let lastId = 0;

/**
 * Made by `newConnection`, and by servers. It lasts until its timer fires, it is killed, its custodian is shut down or
 * both ports close. There may be very many that do nothing: what only some of them need is made when it is needed.
 */
export class Connection extends Traffic {
  /** @internal */ protected inputPort: Readable;
  /** @internal */ protected outputPort: Writable;
  /** @internal */ protected portsBelow: PortsBelow | null = null;
  /** @internal */ protected usedReader: Reader | null = null;
  /** @internal */
  speaker: Speaker | null = null;
  /** @internal */
  budget: Budget | null = null;
  /** Unique in the process. */
  readonly id: number;
  readonly manager: ConnectionManager;
  /** Its deadline is when the connection ends. Racket entry: `connection-timer`. */
  readonly timer: Timer<Connection>;
  /** When it was made, in milliseconds of the manager's clock, to the turn of the event loop. */
  readonly since: number;
  /** Its own custodian, or the one that its own will be made below when somebody asks for it. */
  #custodian: Custodian;
  #hasCustodian: boolean;
  #shouldClose: boolean;
  #phase: Phase = "idle";
  #deadline: PlannedDeadline = plan.request;
  /** Where the program has moved the deadline of this phase, by the clock; null where it has not. */
  #movedTo: number | null = null;
  /** Its place among the live ones, which their registry writes. @internal */
  older: Connection | null = null;
  /** @internal */
  newer: Connection | null = null;
  /** @internal */
  place = 0;
  /** Who admitted it; null where it is the program's own, and once it has given its permit back. @internal */
  host: ConnectionHost | null = null;
  /** How it ends once the current job is done, where that is no longer as usual. */
  #soon: Pick<Ending, "reason" | "limit"> | null = null;
  #ending: Ending | null = null;
  #closed: Settlement<CloseReason> | null = null;

  /** @param isAbove whether its own custodian is to be made below the given one, which does not own it then @internal */
  constructor(
    manager: ConnectionManager,
    timeout: number,
    input: Readable,
    output: Writable,
    custodian: Custodian,
    shouldClose: boolean,
    isAbove: boolean = false,
  ) {
    super();
    this.inputPort = input;
    this.outputPort = output;
    this.id = ++lastId;
    this.manager = manager;
    this.#custodian = custodian;
    this.#hasCustodian = !isAbove;
    this.#shouldClose = shouldClose;
    if (!isAbove) {
      own(custodian, this);
      hearErrors(input);
      hearErrors(output);
    }
    this.timer = manager.timers.start<Connection>(timeout, expire, this);
    const { at } = this.timer;
    this.since = at === Infinity ? manager.timers.clock.now() : at - timeout;
    markPorts(input, output, this);
    tellOpened(this);
  }

  /** Owns what the connection holds; it ends with the connection. Made when first asked for. Racket entry: `connection-custodian`. */
  get custodian(): Custodian {
    if (!this.#hasCustodian) {
      this.#custodian = makeOwnCustodian(this, this.#custodian);
      this.#hasCustodian = true;
    }
    return this.#custodian;
  }

  /** Whether anybody has asked for its custodian. @internal */
  get hasCustodian(): boolean {
    return this.#hasCustodian;
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
    return this.#ending?.reason ?? null;
  }

  /** The limit that ended it, or null. */
  get closeLimit(): SafetyLimitName | null {
    return this.#ending?.limit ?? null;
  }

  /** The phase in which its end came, or null. */
  get lastPhase(): Phase | null {
    return this.#ending?.phase ?? null;
  }

  /** Settles with the reason when both ports have closed; never rejects. */
  get closed(): Promise<CloseReason> {
    this.#closed ??= new Settlement();
    if (this.#phase === "closed" && this.#ending !== null) this.#closed.resolve(this.#ending.reason);
    return this.#closed.promise;
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

  /**
   * Moves the deadline in force by `ms`, which may be negative. See `resetTimeout`. Racket entry:
   * `adjust-connection-timeout!`. @returns whether it was still open
   */
  adjustTimeout(ms: Duration): boolean {
    return this.#moved(this.timer.increment(ms));
  }

  /**
   * The deadline in force becomes now + `ms`. Until the next phase sets its own it is final: no progress puts it off.
   * Racket entry: `reset-connection-timeout!`. @returns whether it was still open
   */
  resetTimeout(ms: Duration): boolean {
    return this.#moved(this.timer.reset(ms));
  }

  /** The deadline in force becomes `deadline`, a time of the clock. See `resetTimeout`. @internal */
  moveDeadline(deadline: number): void {
    this.resetTimeout(Math.max(0, deadline - this.manager.timers.clock.now()));
  }

  /** Whether the program has moved the deadline since the plan set it. @internal */
  get deadlineMoved(): boolean {
    return this.#movedTo !== null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.end("killed");
    return this.closed.then(() => undefined);
  }

  /** Moves to a phase of the protocol and, where one is given, to its deadline. @internal */
  enter(phase: Phase, deadline?: PlannedDeadline): void {
    if (this.#ending !== null || !this.#move(phase) || deadline === undefined) return;
    this.#deadline = deadline;
    this.timer.reset(this.manager.timeouts[deadline.order] ?? Infinity);
    this.#movedTo = null;
    if (phase === "idle") this.#endIfSoon();
  }

  /** The deadline has passed: milliseconds to go on for, or undefined to end. @internal */
  extend(): number | undefined {
    const more = this.#untilMoved > 0 ? this.speaker?.extend?.() : undefined;
    if (more !== undefined) return Math.min(more, this.#untilMoved);
    const { limit, reason } = this.#deadline;
    // Each deadline passes once.
    return limit === "none" || this.mayCut(reason, limit, null) ? undefined : Infinity;
  }

  /** Puts a layer on top of the ports: what is above is used from now on, and what is below is closed with it. @internal */
  replacePorts(input: Readable, output: Writable): void {
    if (!this.putOnTop(input, output)) return;
    this.forgetReader();
    markPorts(input, output, this);
    hearErrors(input);
    hearErrors(output);
    if (this.#ending !== null) this.#ending.linger = closePortsFor(this, this.#ending) ?? this.#ending.linger;
  }

  /** Lets the current job finish, and then ends for `reason`. At once where there is no job. @internal */
  endSoon(reason: CloseReason, limit: SafetyLimitName | null = closeReasons[reason].limit): void {
    this.#soon ??= { reason, limit };
    this.#shouldClose = true;
    this.#endIfSoon();
  }

  /** Whether it ends after the current job for a reason of the server's. @internal */
  get endsSoon(): boolean {
    return this.#soon !== null;
  }

  /** The job is done and the connection is to close. @internal */
  finish(): void {
    this.end(this.#soon?.reason ?? "completed", this.#soon?.limit ?? null);
  }

  /**
   * See `kill`. Whoever ends it for a limit has asked `mayCut`.
   * @param limit whose doing it is
   * @param isOver whether both ports are known to have closed
   * @internal
   */
  end(reason: CloseReason, limit: SafetyLimitName | null = closeReasons[reason].limit, isOver: boolean = false): void {
    if (this.#ending !== null) return;
    const ending: Ending = { reason, limit, phase: this.#phase, linger: null };
    this.#ending = ending;
    if (limit !== null && this.#isCutBy(limit)) warnOfFirstCut(limit, this.manager.safetyLimits);
    this.timer.cancel();
    this.#set("draining");
    sayLastWords(this, reason);
    this.stopReading();
    if (!isOver && !this.portsAreClosed) ending.linger = closePortsFor(this, ending);
    if (this.#hasCustodian) endOwn(this.#custodian, this, reason);
    this.#finishIfClosed(isOver);
  }

  /** Ends what is left of an end that has begun: nobody is waited for any more. @internal */
  cut(): void {
    if (this.#phase === "draining") cutPorts(this);
  }

  /** @internal */
  portClosed(): void {
    if (!this.portsAreClosed) return;
    // A port that the program closed by itself never showed us the client's end.
    if (this.#ending !== null) this.#finishIfClosed(true);
    // The same goes for a TLS handshake, which reads below the port.
    else this.end(this.input.readableEnded || this.#phase === "handshaking" ? "client-ended" : "completed", null, true);
  }

  /** @internal */
  portFailed(error: Error): void {
    if (this.#ending !== null) {
      if (!isAftermath(error) && !isProtocolError(error)) this.manager.fail(error, this);
      return;
    }
    const reason = isDeparture(error) ? "client-reset" : isProtocolError(error) ? "protocol-error" : "internal-error";
    if (reason === "internal-error") this.manager.fail(error, this);
    this.end(reason);
  }

  /** The reader took bytes from the port. @internal */
  bytesArrived(): void {
    if (this.#phase !== "idle") return;
    if (this.#deadline !== plan.idle) this.enter("reading");
    else if (!this.deadlineMoved) this.enter("reading", plan.request);
    else {
      // A deadline that the program has moved is not moved by progress.
      this.#deadline = plan.request;
      this.enter("reading");
    }
  }

  /**
   * Whether a limit is to cut something of this connection; where the manager only observes, it is published instead.
   * @param what would be cut, which is published once for each limit however often it is asked; null where it is asked once
   * @internal
   */
  mayCut(reason: CloseReason, limit: SafetyLimitName | null, what: object | null = this): boolean {
    return limit === null || !this.manager.observeOnly || spare(this, { reason, limit, what });
  }

  /** Whether a deadline of the plan has passed and was only observed, so that none is in force. @internal */
  get deadlineSpared(): boolean {
    return this.manager.observeOnly && this.#movedTo === null && this.timer.deadline === Infinity;
  }

  #move(to: Phase): boolean {
    const from = this.#phase;
    if (from === to) return true;
    try {
      checkMove(from, to);
    } catch (error) {
      // Throws in tests; in production it ends this connection, and no other.
      if (process.env["NODE_ENV"] === "test") throw error;
      this.manager.fail(error as Error, this);
      this.end("internal-error");
      return false;
    }
    this.#set(to);
    return true;
  }

  #set(to: Phase): void {
    const from = this.#phase;
    this.#phase = to;
    tellPhase(this, from, to);
  }

  /** Gives the ports back to the program, no longer timed, counted or closed by us. An end that has begun goes on. @internal */
  letGo(): void {
    if (this.#ending !== null) {
      this.speaker?.leave?.();
      return;
    }
    this.speaker?.letGo?.();
    this.speaker = null;
    this.timer.cancel();
    this.#ending = { reason: "completed", limit: null, phase: this.#phase, linger: null };
    this.#phase = "closed";
    for (const port of this.ports) unmarkPort(port, this);
    if (this.#hasCustodian) letGoOwn(this.#custodian, this);
    // There is no end to wait for.
    this.givePermitBack();
    this.#leave("completed");
  }

  /** Gives the permit that it was admitted with back. Once; later calls do nothing. @internal */
  givePermitBack(): void {
    const { host } = this;
    this.host = null;
    host?.takeBack();
  }

  /** Ends an idle connection that was to end after its job. */
  #endIfSoon(): void {
    if (this.#soon !== null && this.#phase === "idle" && !this.hasBegun(this.#deadline === plan.request)) this.finish();
  }

  /** The program has moved the deadline of a timer that still waits. @returns whether it does */
  #moved(waits: boolean): boolean {
    if (waits) this.#movedTo = this.timer.deadline;
    return waits;
  }

  /** Milliseconds until the deadline that the program has moved. */
  get #untilMoved(): number {
    return this.#movedTo === null ? Infinity : this.#movedTo - this.manager.timers.clock.now();
  }

  /** Whether an end by `limit` is a cut that the limit's value decided. */
  #isCutBy(limit: SafetyLimitName): boolean {
    // Going quiet between requests is no fault, a drain has shorter deadlines than the limits say, and so may the program.
    if (limit === "idleTimeout" || this.#soon?.reason === "drained") return false;
    return !(this.deadlineMoved && limit === this.#deadline.limit);
  }

  #finishIfClosed(isOver: boolean): void {
    if (this.#phase !== "draining" || this.#ending === null || !(isOver || this.portsAreClosed)) return;
    const { reason, phase, linger } = this.#ending;
    linger?.cancel();
    this.#set("closed");
    tellClosed(this, reason, phase);
    this.#leave(reason);
  }

  #leave(reason: CloseReason): void {
    if (this.#hasCustodian) this.#custodian.release(this);
    this.manager.forget(this);
    this.#closed?.resolve(reason);
    this.host?.connectionClosed(this);
  }

  /** The timer fired. @internal */
  expire(): void {
    this.end(this.#deadline.reason);
  }
}

/** One function for all timers of all connections. */
const expire = (connection: Connection): void => connection.expire();

Object.defineProperty(Connection.prototype, connectionBrand, { value: true });
