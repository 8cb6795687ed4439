/**
 * The current custodian: the one whose `run` we are inside, across awaits. Nothing of this exists before the first
 * `run`, so that a program that enters no context pays for none.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { NoCurrentCustodianError } from "../core/errors.ts";
import type { Custodian } from "./custodian.ts";

/** Of every copy of this package in the process. */
const contextKey = Symbol.for("portreeve.context.v1");
const shared = process as { [contextKey]?: AsyncLocalStorage<Custodian> };

/** Runs `fn` with `custodian` as the current one, and gives back what it gives back. */
export function runUnder<T>(custodian: Custodian, fn: () => T): T {
  shared[contextKey] ??= new AsyncLocalStorage<Custodian>();
  return shared[contextKey].run(custodian, fn);
}

/** The current custodian, or undefined. */
export function custodianInContext(): Custodian | undefined {
  return shared[contextKey]?.getStore();
}

/**
 * The custodian whose `run` we are inside. Racket entry: `current-custodian`.
 * @throws NoCurrentCustodianError outside of any.
 */
export function currentCustodian(): Custodian {
  const custodian = custodianInContext();
  if (custodian === undefined) {
    throw new NoCurrentCustodianError("no custodian is current here; call this inside custodian.run(fn)");
  }
  return custodian;
}
