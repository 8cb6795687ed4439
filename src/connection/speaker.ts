/**
 * The speaker of a connection: what its protocol knows of it. A protocol makes one for each connection it serves; a
 * connection without one is the program's own.
 */
import type { CloseReason } from "./close-reason.ts";
import type { ManagedRequest } from "./managed-request.ts";

export interface Speaker {
  /** Looks at the connection, many times a second; for what no event tells. */
  look?(): void;
  /** The deadline has passed: milliseconds to go on for, or undefined to end. */
  extend?(): number | undefined;
  /** Says the last words of an end that has begun, while the output is still open. */
  lastWords?(reason: CloseReason): void;
  /** The server drains: tells the client, and lets the connection end after the work in flight. */
  drain(): void;
  /** The connection is no longer ours: gives back to its socket what was its own. */
  letGo?(): void;
  /** The request that a request, a response or a stream of the program belongs to. */
  requestOf?(value: object): ManagedRequest | undefined;
  /** Whether the program waits for the rest of something that the client has begun. */
  readonly waitsForClient?: boolean;
}
