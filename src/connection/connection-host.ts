/**
 * The host of a connection: the server whose it is.
 */
import type { Connection } from "./connection.ts";

export interface ConnectionHost {
  /** Both of its ports have closed. */
  connectionClosed(connection: Connection): void;
}
