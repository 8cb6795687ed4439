/** What is still there after a collection, for promises that something is not kept. */
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";

const { gc } = globalThis;

// V8 compiles hot functions in the background and holds what they refer to meanwhile, for tens of milliseconds: in one run of
// eight a connection, whatever is collected. That it compiles is no part of the promise.
for (const flag of ["--no-opt", "--no-maglev"]) setFlagsFromString(flag);

/** Why such a test cannot run here; false where it can. */
export const skip: string | false = gc === undefined && "needs --expose-gc";

/** Collects what nobody keeps. */
export async function collect(): Promise<void> {
  // A WeakRef keeps its target until the turn in which it was made or read has ended.
  await turn();
  gc?.();
}

/** How many of the objects are still there after a collection. */
export async function survivors(refs: readonly WeakRef<object>[]): Promise<number> {
  // What is closed is let go of by and by.
  for (let i = 0; i < 3; i++) await collect();
  return refs.filter((ref) => ref.deref() !== undefined).length;
}
