/**
 * `portreeve/custodian`: a tree of owners. Whatever must end is put under a custodian, and ends with it.
 *
 * ```ts
 * import { open } from "node:fs/promises";
 * import { makeCustodian } from "portreeve/custodian";
 *
 * const job = makeCustodian();
 * const file = job.use(await open("big.csv"));
 * const answer = await fetch("http://127.0.0.1:8080/", { signal: job.signal });
 * job.setTimeout(() => job.shutdownAll("too slow"), "30s");
 * await job.shutdownAll();
 * ```
 */
import { Custodian, checkCustodian } from "./custodian.ts";
import type { ShutdownReport } from "./custodian.ts";
import type { CustodianBox } from "./custodian-box.ts";
import { isCustodian } from "./member.ts";

export { currentCustodian } from "./context.ts";
export { makeCustodian } from "./make-custodian.ts";
export { custodianBoxValue, makeCustodianBox } from "./custodian-box.ts";
export { custodianLimitMemory } from "./memory.ts";
export { traceLeaks } from "./leaks.ts";
export { CustodianShutDownError, FinalizerTimeoutError, NoCurrentCustodianError } from "../core/errors.ts";
export type { Clock } from "../core/clock.ts";
export type { Duration, Size } from "../core/units.ts";
export type { CustodianOptions } from "./make-custodian.ts";
export type { LeakReport, LeakTracingOptions } from "./leaks.ts";
export type { Custodian, CustodianBox, ShutdownReport };
export { isCustodian };

/** See `Custodian.shutdownAll`. Racket entry: `custodian-shutdown-all`. */
export function custodianShutdownAll(custodian: Custodian, reason?: unknown): Promise<ShutdownReport> {
  return checkCustodian(custodian, "custodian").shutdownAll(reason);
}

/** Racket entry: `custodian-shut-down?`. */
export function isCustodianShutDown(custodian: Custodian): boolean {
  return checkCustodian(custodian, "custodian").isShutDown;
}

/** See `Custodian.managedList`. Racket entry: `custodian-managed-list`. */
export function custodianManagedList(custodian: Custodian, superCustodian: Custodian): unknown[] {
  return checkCustodian(custodian, "custodian").managedList(checkCustodian(superCustodian, "superCustodian"));
}
