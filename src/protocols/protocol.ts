/**
 * What a server speaks on its connections. One interface, with the adapters in the folders beside it.
 */
import type { Socket } from "node:net";
import type { Connection } from "../connection/connection.ts";
import type { SafetyLimitName } from "../limits/safety-limits.ts";

/**
 * Takes over one connection: gives it its speaker, and puts it in its phase. `socket` is the one that was accepted, or the
 * layer above it by which it was found.
 * @returns false where it cannot tell what is spoken on it, and has done nothing
 */
export type Adopt = (connection: Connection, socket: Socket) => boolean;

/** Hands a socket on to the server it came from. */
export type Pass = (socket: Socket) => void;

export interface Protocol {
  readonly name: string;
  /** The limits that it enforces, beyond those of every listener. */
  readonly enforces: readonly SafetyLimitName[];
  /** Whether its speakers look at their connections many times a second. */
  readonly looks: boolean;
  /** Whether a handshake of its own follows that of the layer below: then it enters `idle` itself. */
  readonly shakesHands?: boolean;
  /**
   * Serves a connection that was admitted: gives it its speaker, and moves it through its phases. `pass` is called
   * once. A promise that comes back settles when the program's work for the connection has; it never rejects.
   */
  speak(connection: Connection, socket: Socket, pass: Pass): Promise<void> | undefined;
  /**
   * Looks at who is connected, and gives back how to take over connections that are older than our being here. Where this
   * is missing, such connections stay the program's own.
   */
  adoption?(): Adopt;
  /** Says who is to be told of sockets that have no connection: those that were not found when we came. */
  findMore?(found: (socket: Socket) => void): void;
  /** Tells a client that it is not served, and ends the socket. */
  refuse(socket: Socket): void;
  /** Gives the server back as it was. */
  detach?(): void;
}
