/**
 * The host of a connection: the server whose it is, for as long as the connection has one of its permits.
 */
import type { Connection } from "./connection.ts";

export interface ConnectionHost {
  /** Both of its ports have closed. */
  connectionClosed(connection: Connection): void;
  /** A permit comes back. */
  takeBack(): void;
}
