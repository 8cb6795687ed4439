/**
 * What a server speaks on its connections. One interface, with the adapters in the folders beside it.
 */
import type { Socket } from "node:net";
import type { Connection } from "../connection/connection.ts";
import type { SafetyLimitName } from "../limits/safety-limits.ts";

export interface Protocol {
  readonly name: string;
  /** The limits that it enforces, beyond those of every listener. */
  readonly enforces: readonly SafetyLimitName[];
  /**
   * Serves a connection that was admitted, and moves it through its phases. `pass` hands the socket on to the server it
   * came from. A promise that comes back settles when the program's work for the connection has; it never rejects.
   */
  speak(connection: Connection, socket: Socket, pass: () => void): Promise<void> | undefined;
  /** Tells a client that it is not served, and ends the socket. */
  refuse(socket: Socket): void;
  /** Looks at a connection a few times a second; for what no event tells. */
  look?(connection: Connection): void;
  /** The server drains: tells the client, and lets the connection end after the work in flight. */
  drain(connection: Connection): void;
  /** Gives the server back as it was. */
  detach?(): void;
}
