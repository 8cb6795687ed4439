/**
 * Draining: the polite end of a server. It always ends, at the latest when its grace period has passed.
 *
 *  1. Nobody is accepted any more; those who wait are refused.
 *  2. Each connection is told, in the manner of its protocol. Idle ones end at once; the others end after the work in
 *     flight. Deadlines stay in force.
 *  3. When the grace period has passed, the rest is cut.
 */
import type { Server } from "node:net";
import { settledWithin } from "../core/clock.ts";
import type { Clock } from "../core/clock.ts";
import { defineChannel } from "../core/channels.ts";
import { isThenable, toError } from "../core/report.ts";
import type { CloseReason } from "../connection/close-reason.ts";
import type { Connection } from "../connection/connection.ts";
import type { Phase } from "../connection/phase.ts";
import type { Timer } from "../timers/timer.ts";
import type { Listener } from "./listener.ts";

/** A connection that ended before its work did, or one of its requests before the others, and what it was doing. */
export interface CutConnection {
  readonly id: number;
  /** Why: `drain-cut` for the grace period; or a deadline, a fault, the client's own departure. Of several requests, the first's. */
  readonly reason: CloseReason;
  /** The phase in which the end came. */
  readonly phase: Phase;
  /** Milliseconds since it was made. */
  readonly age: number;
}

/** What a drain came to. */
export interface DrainReport {
  /** Milliseconds. */
  readonly duration: number;
  /** Connections that were idle and ended at once. */
  readonly idle: number;
  /** Connections whose work in flight finished. */
  readonly finished: number;
  /** The other connections whose work was in flight, with the reason of each. */
  readonly cut: readonly CutConnection[];
  /** Sockets that waited for a permit and were refused. */
  readonly refused: number;
}

/** The reasons of connections whose work was done. */
const finishing: ReadonlySet<CloseReason> = new Set(["completed", "drained", "client-ended", "max-age"]);

const startedChannel = defineChannel<{ servers: readonly Server[]; grace: number }>("portreeve.drain.started");
const drainingChannel = defineChannel<{ connection: Connection }>("portreeve.connection.draining");
const finishedChannel = defineChannel<{ servers: readonly Server[]; report: DrainReport }>("portreeve.drain.finished");

/** How listeners are drained. */
export interface Draining {
  /** Milliseconds; 0 cuts at once. */
  readonly grace: number;
  /** Told of each connection that is still in the middle of something. */
  readonly told?: ((connection: Connection) => unknown) | undefined;
}

/** Drains listeners that have stopped listening, as one. There is at least one. */
export async function drainListeners(listeners: readonly Listener[], { grace, told }: Draining): Promise<DrainReport> {
  const { timers, plainTimers } = firstOf(listeners).manager;
  const { clock } = timers;
  const servers = listeners.map(({ server }) => server);
  const started = clock.now();
  if (startedChannel.hasSubscribers) startedChannel.publish({ servers, grace });
  const all = (): Connection[] => listeners.flatMap(({ manager }) => [...manager.connections]);
  const refused = listeners.reduce((count, { admission }) => count + admission.close(), 0);
  const live = all().filter((connection) => connection.closeReason === null);
  for (const connection of live) tell(connection, grace);
  const inFlight = live.filter((connection) => connection.closeReason === null);
  for (const connection of inFlight) {
    if (drainingChannel.hasSubscribers) drainingChannel.publish({ connection });
    if (told !== undefined) hand(told, connection);
  }
  const cutRest = (): void => cutAll(all(), "drain-cut");
  let timer: Timer | null = null;
  if (grace === 0) cutRest();
  else timer = plainTimers.start(grace, cutRest);
  await allClosed(all());
  timer?.cancel();
  const cut = inFlight.flatMap((connection) => cutOf(connection, clock.now()) ?? []);
  const report: DrainReport = {
    duration: clock.now() - started,
    idle: live.length - inFlight.length,
    finished: inFlight.length - cut.length,
    cut,
    refused,
  };
  if (finishedChannel.hasSubscribers) finishedChannel.publish({ servers, report });
  return report;
}

function firstOf(listeners: readonly Listener[]): Listener {
  const [first] = listeners;
  if (first === undefined) throw new TypeError("no listener to drain");
  return first;
}

/** How a connection ended before its work did, or one of its requests before the others; null where all was done. */
function cutOf({ id, closeReason, lastPhase, since, speaker }: Connection, now: number): CutConnection | null {
  const age = now - since;
  if (closeReason !== null && !finishing.has(closeReason)) {
    return { id, reason: closeReason, phase: lastPhase ?? "closed", age };
  }
  const request = speaker?.unfinished ?? null;
  return request === null ? null : { id, ...request, age };
}

function tell(connection: Connection, grace: number): void {
  if (connection.speaker === null) connection.endSoon("drained");
  else connection.speaker.drain(grace);
}

/** The program's listener fails alone. */
function hand(told: (connection: Connection) => unknown, connection: Connection): void {
  const failed = (error: unknown): void => connection.manager.fail(toError(error), connection);
  try {
    const result = told(connection);
    if (isThenable(result)) result.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}

/** Ends every connection, and waits for no client, not even where an end has begun already. */
export function cutAll(connections: Iterable<Connection>, reason: CloseReason): void {
  for (const connection of connections) {
    connection.end(reason);
    connection.cut();
  }
}

/** Milliseconds that closers may take after the grace period; then the drain is over without them. */
const closersTime = 200;

/** Waits for the closers that a shutdown has begun, as long as a drain may take that had `grace` milliseconds. */
export function closersSettle(
  shutdown: Promise<unknown>,
  { duration }: DrainReport,
  grace: number,
  clock: Clock,
): Promise<void> {
  return settledWithin(shutdown, Math.max(0, grace - duration) + closersTime, clock);
}

/** Settles when every connection there is now has closed. */
async function allClosed(connections: Iterable<Connection>): Promise<void> {
  await Promise.all(Array.from(connections, (connection) => connection.closed));
}
