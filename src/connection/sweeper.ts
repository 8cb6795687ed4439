/**
 * The sweeper looks at the budgets and ages of all live connections, a few times a second while there are any.
 */
import type { SafetyLimits } from "../limits/safety-limits.ts";
import type { TimerManager } from "../timers/timer-manager.ts";
import type { Timer } from "../timers/timer.ts";
import { Budget } from "./budget.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionRegistry } from "./registry.ts";

/** A stall is noticed at most this fraction of its limit late. */
const looksPerTimeout = 200;
const shortestInterval = 20;
const longestInterval = 250;
/** Ages differ by up to a tenth, so that connections of one moment do not all come back at one moment. */
const ageJitter = 0.1;

export class Sweeper {
  readonly #connections: ConnectionRegistry;
  readonly #limits: SafetyLimits;
  readonly #timers: TimerManager;
  /** Milliseconds between looks; Infinity when no limit needs any. */
  readonly #interval: number;
  /** Only of connections that have something unsent, or keep us waiting. */
  readonly #budgets: Map<Connection, Budget> = new Map();
  /** Whether the speakers of the connections want to look, too. */
  readonly #speakersLook: boolean;
  #timer: Timer | null = null;
  #lookedAt = 0;

  constructor(connections: ConnectionRegistry, limits: SafetyLimits, timers: TimerManager, speakersLook: boolean) {
    this.#connections = connections;
    this.#limits = limits;
    this.#timers = timers;
    this.#speakersLook = speakersLook;
    this.#interval = Math.min(sweepInterval(limits), speakersLook ? longestInterval : Infinity);
  }

  /** Starts looking, if it does not already. */
  wake(): void {
    if (this.#timer !== null || this.#interval === Infinity) return;
    this.#lookedAt = this.#timers.clock.now();
    this.#next();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#budgets.clear();
  }

  #next(): void {
    this.#timer = this.#timers.start(this.#interval, () => this.#sweep());
  }

  #sweep(): void {
    const now = this.#timers.clock.now();
    const elapsed = Math.min(now - this.#lookedAt, this.#interval + this.#timers.resolution);
    this.#lookedAt = now;
    this.#timer = null;
    for (const connection of this.#connections) this.#look(connection, now, elapsed);
    if (this.#connections.size > 0) this.#next();
  }

  #look(connection: Connection, now: number, elapsed: number): void {
    if (connection.closeReason !== null) {
      this.#budgets.delete(connection);
      return;
    }
    if (now - connection.since >= this.#limits.maxConnectionAge * jitter(connection.id)) connection.endSoon("max-age");
    if (this.#speakersLook) connection.speaker?.look?.();
    const owes = connection.unsentBytes > 0 || connection.waitsForClient;
    const budget = this.#budgets.get(connection);
    if (!owes) {
      if (budget !== undefined) this.#budgets.delete(connection);
      return;
    }
    if (budget === undefined) {
      this.#budgets.set(connection, new Budget(connection, this.#limits));
      return;
    }
    const reason = budget.look(connection, elapsed);
    if (reason !== null) connection.end(reason, reason === "limit" ? "maxBufferedBytes" : null);
  }
}

function jitter(id: number): number {
  return 1 + ageJitter * (((id * 0.618) % 1) * 2 - 1);
}

function sweepInterval(limits: SafetyLimits): number {
  const { responseSendTimeout, maxConnectionAge, maxBufferedBytes, minReceiveRate, minSendRate } = limits;
  const watched = [maxBufferedBytes === Infinity ? Infinity : 1, minReceiveRate, minSendRate].some(
    (limit) => limit !== Infinity && (typeof limit === "number" || limit.bytesPerSecond > 0),
  );
  const shortest = Math.min(responseSendTimeout, maxConnectionAge);
  if (shortest === Infinity && !watched) return Infinity;
  return Math.min(longestInterval, Math.max(shortestInterval, shortest / looksPerTimeout));
}
