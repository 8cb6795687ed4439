/**
 * The sweeper looks at the budgets and ages of all live connections, many times a second while there are any: the fewer
 * they are, the more often, so that the looks at all of them together never cost more than those at 10 000. A stream of HTTP/2
 * counts as one, too.
 */
import { toError } from "../core/report.ts";
import type { SafetyLimits } from "../limits/safety-limits.ts";
import type { TimerManager } from "../timers/timer-manager.ts";
import type { Timer } from "../timers/timer.ts";
import { Budget } from "./budget.ts";
import { closeReasons } from "./close-reason.ts";
import type { CloseReason } from "./close-reason.ts";
import type { Connection } from "./connection.ts";
import { KernelTable } from "./kernel-table.ts";
import type { ConnectionRegistry } from "./registry.ts";

/** For limits so short that the looks would be too rare. */
const looksPerTimeout = 200;
const shortestInterval = 20;
/** While somebody has something to take or to send: the begin and the end of a stall are both seen that late. */
const shortestWhileOwing = 10;
const longestInterval = 250;
/** Milliseconds that a look may come late on a loop that is not paused; they count, so that time is not lost by and by. */
const usualLateness = 50;
/** Looks at one connection each. */
const mostLooksPerMs = 40;
/** Ages differ by up to a tenth, so that connections of one moment do not all come back at one moment. */
const ageJitter = 0.1;

export class Sweeper {
  readonly #connections: ConnectionRegistry;
  readonly #limits: SafetyLimits;
  readonly #timers: TimerManager;
  /** The most milliseconds between looks; Infinity when no limit needs any. */
  readonly #longest: number;
  /** Milliseconds until the next look. */
  #interval = 0;
  /** How many connections had something unsent, or kept us waiting, at the last look: these have budgets. */
  #owing = 0;
  /** How many things the last look has looked at: connections, and the requests of those that have several at once. */
  #looks = 0;
  /** Whether the speakers of the connections want to look, too. */
  readonly #speakersLook: boolean;
  readonly #table: KernelTable;
  #timer: Timer | null = null;
  #lookedAt = 0;

  constructor(connections: ConnectionRegistry, limits: SafetyLimits, timers: TimerManager, speakersLook: boolean) {
    this.#connections = connections;
    this.#limits = limits;
    this.#timers = timers;
    this.#speakersLook = speakersLook;
    this.#table = new KernelTable(timers.clock);
    this.#longest = Math.min(sweepInterval(limits), speakersLook ? longestInterval : Infinity);
  }

  /** Starts looking, if it does not already. */
  wake(): void {
    if (this.#timer !== null || this.#longest === Infinity) return;
    this.#lookedAt = this.#timers.clock.now();
    this.#next(Infinity);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#table.stop();
    this.#owing = 0;
  }

  /** @param soonest milliseconds until one of them is to be looked at again, as far as that is known */
  #next(soonest: number): void {
    const shortest = this.#owing > 0 ? shortestWhileOwing : shortestInterval;
    const usual = Math.max(shortest, Math.max(this.#looks, this.#connections.size) / mostLooksPerMs);
    this.#interval = Math.min(this.#longest, usual, Math.max(this.#timers.resolution, soonest));
    this.#timer = this.#timers.start(this.#interval, this.#sweep);
  }

  /** Bound once, so that a look allocates no closure. */
  readonly #sweep = (): void => {
    const now = this.#timers.clock.now();
    const elapsed = Math.min(now - this.#lookedAt, this.#interval + usualLateness);
    this.#lookedAt = now;
    this.#timer = null;
    this.#owing = 0;
    let soonest = Infinity;
    this.#looks = 0;
    for (const connection of this.#connections) soonest = Math.min(soonest, this.#tryToLook(connection, now, elapsed));
    if (this.#connections.size > 0) this.#next(soonest);
  };

  /** What a look makes a program do may fail, and the others are looked at all the same. */
  #tryToLook(connection: Connection, now: number, elapsed: number): number {
    try {
      return this.#look(connection, now, elapsed);
    } catch (error) {
      connection.manager.fail(toError(error), connection);
      return Infinity;
    }
  }

  /** @returns milliseconds until it is to be looked at again, at the latest, as far as that is known */
  #look(connection: Connection, now: number, elapsed: number): number {
    if (connection.closeReason !== null) return Infinity;
    const isOld = now - connection.since >= this.#limits.maxConnectionAge * jitter(connection.id);
    if (isOld && connection.mayCut("max-age", "maxConnectionAge")) connection.endSoon("max-age");
    this.#looks++;
    if (this.#speakersLook) {
      this.#looks += connection.speaker?.openRequests ?? 0;
      connection.speaker?.look?.();
    }
    const owes = connection.unsentBytes > 0 || connection.waitsForClient;
    const { budget } = connection;
    if (!owes) {
      if (budget !== null) connection.budget = null;
      return Infinity;
    }
    this.#owing++;
    if (budget === null) {
      connection.budget = new Budget(connection, this.#limits, this.#table);
      return Infinity;
    }
    const reason = budget.look(connection, elapsed);
    if (reason !== null) cutFor(reason, connection, budget);
    const { patience } = budget;
    // One that was spared is not hurried for.
    return patience > 0 ? patience : Infinity;
  }
}

function cutFor(reason: CloseReason, connection: Connection, budget: Budget): void {
  const limit = reason === "limit" ? "maxBufferedBytes" : closeReasons[reason].limit;
  if (connection.mayCut(reason, limit, connection.speaker?.accountable?.(reason) ?? budget)) {
    connection.end(reason, limit);
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
