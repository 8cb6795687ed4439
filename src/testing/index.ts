/**
 * `portreeve/testing`: time moved by hand, ports without a network, and what was published.
 *
 * ```ts
 * import { makeCustodian, newConnection, startConnectionManager } from "portreeve";
 * import { ManualClock, makePortPair } from "portreeve/testing";
 *
 * const clock = new ManualClock();
 * const manager = startConnectionManager({ clock });
 * const { server } = makePortPair();
 * const connection = newConnection(manager, "1s", server, server, makeCustodian(null), false);
 * clock.advance("1s");
 * console.log(connection.closeReason); // "read-timeout"
 * ```
 */
export { ManualClock } from "../core/manual-clock.ts";
export { collectEvents } from "./event-collector.ts";
export { makePortPair } from "./memory-ports.ts";
export type { CollectedEvent, EventCollector } from "./event-collector.ts";
export type { MemoryPort } from "./memory-ports.ts";
