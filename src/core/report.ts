/**
 * Where an error goes that has nobody to be thrown at: to a handler, and failing that to the process as a warning.
 * A handler that throws is itself reported, and never breaks the loop that reported to it.
 */
import { describe } from "./errors.ts";

/** Makes an Error of whatever was thrown. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown value: ${describe(thrown)}`);
}

/** Says it as a process warning. The type is what `process.on("warning")` shows as its name. */
export function warn(thrown: unknown, type: string): void {
  const error = toError(thrown);
  const code = (error as NodeJS.ErrnoException).code;
  process.emitWarning(error.stack ?? error.message, code === undefined ? { type } : { type, code });
}

/** Calls `handler` with the error; a handler that throws or rejects is reported as a warning of `type`. */
export function report<Context>(
  handler: (error: Error, context: Context) => unknown,
  thrown: unknown,
  context: Context,
  type: string,
): void {
  try {
    const result = handler(toError(thrown), context);
    if (isThenable(result)) result.then(undefined, (again: unknown) => warn(again, type));
  } catch (again) {
    warn(again, type);
  }
}

/** Whether awaiting the value would wait for something. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
