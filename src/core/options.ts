/**
 * Validation at the door. A check takes a value and its path and gives back the value as the inside wants it, or throws
 * an error that names path, expected and received.
 */
import { ArgumentRangeError, ArgumentTypeError } from "./errors.ts";
import { isClock } from "./clock.ts";
import type { Clock } from "./clock.ts";

/** Turns an unknown value into a good one, or throws. */
export type Check<T> = (value: unknown, path: string) => T;

/** A plain options object whose keys are all known; `undefined` counts as none. */
export function checkOptions<K extends string>(
  value: unknown,
  path: string,
  known: readonly K[],
): Readonly<Partial<Record<K, unknown>>> {
  if (value === undefined) return Object.freeze({}) as Readonly<Partial<Record<K, unknown>>>;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ArgumentTypeError(path, "an options object", value);
  }
  for (const key of Object.keys(value)) {
    if (!(known as readonly string[]).includes(key)) {
      throw new ArgumentTypeError(`${path}.${key}`, `one of the options ${known.join(", ")}`, key);
    }
  }
  return value as Readonly<Partial<Record<K, unknown>>>;
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the signature it will call
export function checkFunction<F extends (...args: never[]) => unknown>(value: unknown, path: string): F {
  if (typeof value !== "function") throw new ArgumentTypeError(path, "a function", value);
  return value as F;
}

export function checkBoolean(value: unknown, path: string): boolean {
  if (typeof value !== "boolean") throw new ArgumentTypeError(path, "a boolean", value);
  return value;
}

export function checkString(value: unknown, path: string): string {
  if (typeof value !== "string") throw new ArgumentTypeError(path, "a string", value);
  return value;
}

/** A whole number from `least` up; Infinity only where `infinite` says so. */
export function checkCount(value: unknown, path: string, least: number, infinite: boolean): number {
  const expected = `${least > 0 ? "a positive integer" : "an integer from 0 up"}${infinite ? " or Infinity" : ""}`;
  const number = value === "Infinity" ? Infinity : value;
  if (typeof number !== "number") throw new ArgumentTypeError(path, expected, value);
  if (!(Number.isSafeInteger(number) && number >= least) && !(infinite && number === Infinity)) {
    throw new ArgumentRangeError(path, expected, value);
  }
  return number;
}

export function checkClock(value: unknown, path: string): Clock {
  if (!isClock(value)) throw new ArgumentTypeError(path, "a clock (now, wakeAfter, cancelWakeup)", value);
  return value;
}

/** Applies `check` unless the value is `undefined`. */
export function optional<T, D>(value: unknown, path: string, check: Check<T>, fallback: D): T | D {
  return value === undefined ? fallback : check(value, path);
}
