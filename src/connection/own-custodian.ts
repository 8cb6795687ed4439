/**
 * The custodian of a connection: how it ends the connection, and how one is made for a connection that never needed any.
 */
import { Custodian } from "../custodian/custodian.ts";
import type { ResourceKind } from "../custodian/resources.ts";
import type { CloseReason } from "./close-reason.ts";
import type { Connection } from "./connection.ts";

/** How a custodian ends the connections under it. */
const connectionKind: ResourceKind<Connection> = {
  name: "connection",
  shutDown(connection) {
    connection.end("owner-shutdown");
    return connection.phase === "closed" ? undefined : connection.closed;
  },
};

/** Puts a connection under `custodian`, which is its own from now on. */
export function own(custodian: Custodian, connection: Connection): void {
  custodian.manage(connection, connectionKind);
  // The ports are the connection's: shutting the custodian down ends them by ending that, last bytes included.
  custodian.release(connection.input);
  custodian.release(connection.output);
}

/** The connection has begun to end, and what its custodian holds ends with it. */
export function endOwn(custodian: Custodian, connection: Connection, reason: CloseReason): void {
  // The shutdown waits for our ports only where it began it: a permit waits for both by itself.
  if (!custodian.isShutDown) custodian.release(connection);
  void custodian.shutdownAll(reason);
}

/** The connection is given back. What the program has put under the custodian still ends with the port; nobody else needs it. */
export function letGoOwn(custodian: Custodian, connection: Connection): void {
  custodian.release(connection);
  custodian.parent?.release(custodian);
  if (custodian.isUsed) connection.input.once("close", () => void custodian.shutdownAll("closed"));
}

/** Makes the custodian of a connection, below `above`. */
export function makeOwnCustodian(connection: Connection, above: Custodian): Custodian {
  if (connection.closeReason === null && !above.isShutDown) {
    const custodian = above.child();
    own(custodian, connection);
    return custodian;
  }
  // Too late to own anything: what is given to it is closed at once.
  const custodian = new Custodian(null, above.environment, undefined);
  void custodian.shutdownAll(connection.closeReason ?? "owner-shutdown");
  return custodian;
}
