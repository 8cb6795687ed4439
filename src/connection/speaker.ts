/**
 * The speaker of a connection: what its protocol knows of it. A protocol makes one for each connection it serves; a
 * connection without one is the program's own.
 */
import type { CloseReason } from "./close-reason.ts";
import type { Connection } from "./connection.ts";
import type { ManagedRequest } from "./managed-request.ts";
import type { Phase } from "./phase.ts";

/** A request that ended before its work did, and in which phase. */
export interface UnfinishedRequest {
  readonly reason: CloseReason;
  readonly phase: Phase;
}

export interface Speaker {
  /** Looks at the connection, many times a second; for what no event tells. */
  look?(): void;
  /** Requests that it looks at each by itself. */
  readonly openRequests?: number;
  /** The deadline has passed: milliseconds to go on for, or undefined to end. */
  extend?(): number | undefined;
  /** Says the last words of an end that has begun, while the output is still open. */
  lastWords?(reason: CloseReason): void;
  /**
   * The server drains: tells the client, and lets the connection end after the work in flight.
   * @param grace milliseconds after which the rest is cut
   */
  drain(grace: number): void;
  /**
   * Once the end has begun: milliseconds since the last answer was sent, where nothing is open on a plain socket that the
   * protocol goes on reading to its end by itself; -1 elsewhere.
   */
  readonly quietFor?: number;
  /** The end has begun, and the server is no longer ours: what the client still sends is kept from it. */
  leave?(): unknown;
  /** The connection is no longer ours: gives back to its socket what was its own. */
  letGo?(): void;
  /** The request that a request, a response or a stream of the program belongs to. */
  requestOf?(value: object): ManagedRequest | undefined;
  /** Whether the program waits for the rest of something that the client has begun. */
  readonly waitsForClient?: boolean;
  /** Bytes that wait for the client to take them and that the output does not know of, because they go past it. */
  readonly unsentBytes?: number;
  /** The request that an end of the connection for `reason` would cut, where there is one. */
  accountable?(reason: CloseReason): object | null;
  /** Whether the protocol ends the output by itself, once its last words are out. */
  readonly endsOutput?: boolean;
  /** The first request that did not finish since the drain began, though the connection's own end does not tell. */
  readonly unfinished?: UnfinishedRequest | null;
}

/** The request that was under way, in one of `phases`, when the client left without a reset. */
export function leftWhile(connection: Connection, phases: readonly Phase[]): UnfinishedRequest | null {
  const { closeReason: reason, lastPhase: phase } = connection;
  if (reason !== "client-ended" || phase === null || !phases.includes(phase)) return null;
  return { reason, phase };
}
