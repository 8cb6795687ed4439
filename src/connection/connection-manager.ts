/**
 * A connection manager: the safety limits of its connections, their timers, and the registry of those that live. Racket
 * entries: `connection-manager?`, `start-connection-manager`, `new-connection`.
 */
import { systemClock } from "../core/clock.ts";
import type { Clock } from "../core/clock.ts";
import { defineChannel } from "../core/channels.ts";
import { ArgumentTypeError, ManagerDisposedError } from "../core/errors.ts";
import { checkBoolean, checkClock, checkFunction, checkOptions, optional } from "../core/options.ts";
import { report, warn } from "../core/report.ts";
import { checkCustodian } from "../custodian/custodian.ts";
import { makeUnlimitedSafetyLimits, toSafetyLimits } from "../limits/safety-limits.ts";
import type { SafetyLimits, SafetyLimitsOptions } from "../limits/safety-limits.ts";
import { TimerManager, defaultTimerManager } from "../timers/timer-manager.ts";
import { Connection } from "./connection.ts";
import { connectionOfPort } from "./lookup.ts";
import { checkReadable, checkWritable, toReadable, toWritable } from "./ports.ts";
import { ConnectionRegistry } from "./registry.ts";
import { Sweeper } from "./sweeper.ts";

/** Told of what goes wrong with one connection, which ends; no other is touched. */
export type ConnectionErrorHandler = (error: Error, connection: Connection | undefined) => unknown;

export interface ConnectionManagerOptions {
  /** @default unlimited, as in Racket; here, and only here */
  safetyLimits?: SafetyLimits | SafetyLimitsOptions;
  /** Where time comes from. @default the clock of the process */
  clock?: Clock;
  /** Told of errors that are no one's departure. @default a process warning */
  onError?: ConnectionErrorHandler;
}

/** How a server has its connections watched. */
export interface Supervision {
  /** Whether their speakers want to look. */
  looks?: boolean;
  observeOnly?: boolean;
}

const errorChannel = defineChannel<{ connection: Connection | undefined; error: Error }>("portreeve.connection.error");

export class ConnectionManager {
  readonly safetyLimits: SafetyLimits;
  /** The deadlines of clients: our own pauses do not count against them. */
  readonly timers: TimerManager;
  /** Lingering, grace periods and looks: not forgiven. @internal */
  readonly plainTimers: TimerManager;
  /** The connections that live, oldest first. */
  readonly connections: ConnectionRegistry = new ConnectionRegistry();
  readonly #onError: ConnectionErrorHandler;
  readonly #sweeper: Sweeper;
  #disposed = false;

  /** Whether limits cut nothing, and only what they would have done is published. @internal */
  readonly observeOnly: boolean;

  /** @internal */
  constructor(options?: ConnectionManagerOptions, { looks = false, observeOnly = false }: Supervision = {}) {
    const given = checkOptions(options, "options", ["safetyLimits", "clock", "onError"]);
    const clock = optional(given.clock, "options.clock", checkClock, systemClock);
    this.safetyLimits = optional(given.safetyLimits, "safetyLimits", toSafetyLimits, makeUnlimitedSafetyLimits());
    this.#onError = optional(given.onError, "options.onError", checkFunction<ConnectionErrorHandler>, (error) =>
      warn(error, "PortreeveConnectionWarning"),
    );
    this.timers = new TimerManager({ clock, forgiving: true }, (timer) => (timer.subject as Connection).extend());
    this.plainTimers = clock === systemClock ? defaultTimerManager() : new TimerManager({ clock });
    this.#sweeper = new Sweeper(this.connections, this.safetyLimits, this.plainTimers, looks);
    this.observeOnly = observeOnly;
  }

  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** See `newConnection`. @internal */
  open(timeout: number, input: unknown, output: unknown, custodian: unknown, shouldClose: unknown): Connection {
    if (this.#disposed) throw new ManagerDisposedError("the connection manager was disposed of");
    checkReadable(input, "input");
    checkWritable(output, "output");
    checkUnused(input, "input");
    checkUnused(output, "output");
    const owner = checkCustodian(custodian, "custodian");
    const close = checkBoolean(shouldClose, "shouldClose");
    const from = toReadable(input);
    const to = toWritable(output);
    if (owner.isShutDown) {
      from.destroy();
      to.destroy();
      owner.checkOpen();
    }
    const connection = new Connection(this, timeout, from, to, owner, close);
    this.connections.add(connection);
    this.#sweeper.wake();
    return connection;
  }

  /** @internal */
  forget(connection: Connection): void {
    this.connections.delete(connection);
    if (this.connections.size === 0) this.#sweeper.stop();
  }

  /** Says what went wrong with a connection. @internal */
  fail(error: Error, connection: Connection | undefined): void {
    if (errorChannel.hasSubscribers) errorChannel.publish({ connection, error });
    report<Connection | undefined>(this.#onError, error, connection, "PortreeveConnectionWarning");
  }

  /** Kills every connection; making one afterwards throws. Settles when all have closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const ends = [...this.connections].map((connection) => {
      connection.end("killed");
      return connection.closed;
    });
    await Promise.all(ends);
    this.#sweeper.stop();
    this.timers[Symbol.dispose]();
  }
}

function checkUnused(port: unknown, path: string): void {
  if (connectionOfPort(port) !== undefined) throw new ArgumentTypeError(path, "a port of no other connection", port);
}

const brand = Symbol.for("portreeve.connection-manager.v1");
Object.defineProperty(ConnectionManager.prototype, brand, { value: true });

/** Racket entry: `connection-manager?`. True for managers of every copy of this package in the process. */
export function isConnectionManager(value: unknown): value is ConnectionManager {
  return typeof value === "object" && value !== null && Reflect.get(value, brand) === true;
}

/** Makes a connection manager. Racket entry: `start-connection-manager`. */
export function startConnectionManager(options?: ConnectionManagerOptions): ConnectionManager {
  return new ConnectionManager(options);
}
