/** A connection over ports in memory, on a clock that is moved by hand. */
import type { Custodian } from "../../src/custodian/custodian.ts";
import { makeCustodian, newConnection, startConnectionManager } from "../../src/index.ts";
import type { Connection, ConnectionManager, SafetyLimitsOptions } from "../../src/index.ts";
import { ManualClock, makePortPair } from "../../src/testing/index.ts";
import type { MemoryPort } from "../../src/testing/index.ts";

export interface Scene {
  clock: ManualClock;
  manager: ConnectionManager;
  custodian: Custodian;
  /** The server's end, which is both ports of `connection`. */
  server: MemoryPort;
  client: MemoryPort;
  connection: Connection;
  /** What `onError` was told. */
  errors: Error[];
}

/** Without limits the manager has those of `startConnectionManager`: none. */
export function connect(safetyLimits?: SafetyLimitsOptions, timeout?: number | string): Scene {
  const clock = new ManualClock();
  const errors: Error[] = [];
  const manager = startConnectionManager({
    clock,
    onError: (error) => errors.push(error),
    ...(safetyLimits && { safetyLimits }),
  });
  const custodian = makeCustodian(null, { clock });
  const { server, client } = makePortPair();
  // A client hears of a reset; that is its own affair.
  client.on("error", () => {});
  const connection =
    timeout === undefined
      ? newConnection(manager, server, server, custodian, false)
      : newConnection(manager, timeout, server, server, custodian, false);
  return { clock, manager, custodian, server, client, connection, errors };
}

/** Lets everything run that is ready to: promises, ticks and immediates. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
