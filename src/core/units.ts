/**
 * Durations in milliseconds and sizes in bytes, from numbers or strict text: "30s", "1 MiB", "Infinity".
 */
import { ArgumentRangeError, ArgumentTypeError } from "./errors.ts";

/** Milliseconds as a number, or a number with a unit: `ms`, `s`, `m`, `h`, `d`; `"Infinity"` for never. */
export type Duration = number | string;
/** Bytes as a number, or a number with a unit: `B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`; `"Infinity"` for no limit. */
export type Size = number | string;

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 };
const bytes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KiB: 2 ** 10,
  MB: 1e6,
  MiB: 2 ** 20,
  GB: 1e9,
  GiB: 2 ** 30,
};
const amount = /^([+-]?)(\d+)(?:\.(\d+))? ?([A-Za-z]+)$/;

/** What a caller allows beyond a finite number from 0 up. */
export interface UnitRules {
  /** Refuse Infinity. */
  finite?: boolean;
  /** Accept negative amounts. */
  negative?: boolean;
  /** Accept whole numbers only. */
  whole?: boolean;
}

const anyAmount: UnitRules = {};

/** A duration in milliseconds. @throws ArgumentTypeError or ArgumentRangeError that name `path`. */
export function duration(value: unknown, path: string, rules: UnitRules = anyAmount): number {
  return measure(value, path, rules, milliseconds, 'a duration such as 1500, "30s" or "5m"');
}

/** A size in bytes. @throws ArgumentTypeError or ArgumentRangeError that name `path`. */
export function size(value: unknown, path: string, rules: UnitRules = anyAmount): number {
  return measure(
    value,
    path,
    { ...rules, whole: true },
    bytes,
    'a size in whole bytes such as 8192, "64 kB" or "1 MiB"',
  );
}

function measure(
  value: unknown,
  path: string,
  rules: UnitRules,
  units: Readonly<Record<string, number>>,
  what: string,
): number {
  const number = typeof value === "string" ? parse(value, units) : value;
  if (typeof number !== "number") throw new ArgumentTypeError(path, expectation(what, rules), value);
  if (
    Number.isNaN(number) ||
    (number < 0 && rules.negative !== true) ||
    number === -Infinity ||
    (number === Infinity && rules.finite === true) ||
    (rules.whole === true && number !== Infinity && !Number.isSafeInteger(number))
  ) {
    throw new ArgumentRangeError(path, expectation(what, rules), value);
  }
  return number;
}

function expectation(what: string, rules: UnitRules): string {
  return `${what}${rules.negative === true ? ", negative or not" : ", not negative"}${rules.finite === true ? ", finite" : ""}`;
}

/** NaN for text that is no amount, so that the caller reports text and numbers alike. */
function parse(text: string, units: Readonly<Record<string, number>>): number {
  if (text === "Infinity") return Infinity;
  const [, sign, whole, fraction = "0", unit] = amount.exec(text) ?? [];
  const factor = unit !== undefined && Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (whole === undefined || factor === undefined) return Number.NaN;
  // 1.005 * 1000 is not 1005 in binary: the fraction counts to a millionth of the base unit.
  const number = Number(whole) * factor + Math.round(Number(`0.${fraction}`) * factor * 1e6) / 1e6;
  // Never is spelled Infinity; a number too large for a computer is a mistake.
  if (number === Infinity) return Number.NaN;
  return sign === "-" ? -number : number;
}
