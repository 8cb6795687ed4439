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
  /** Whether its speakers look at their connections many times a second. */
  readonly looks: boolean;
  /**
   * Serves a connection that was admitted: gives it its speaker, and moves it through its phases. `pass` hands the socket
   * on to the server it came from. A promise that comes back settles when the program's work for the connection has; it
   * never rejects.
   */
  speak(connection: Connection, socket: Socket, pass: () => void): Promise<void> | undefined;
  /** Tells a client that it is not served, and ends the socket. */
  refuse(socket: Socket): void;
  /** Gives the server back as it was. */
  detach?(): void;
}
