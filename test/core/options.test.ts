import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/core/clock.ts";
import {
  checkBoolean,
  checkClock,
  checkCount,
  checkFunction,
  checkOptions,
  checkString,
  optional,
} from "../../src/core/options.ts";
import { ManualClock } from "../../src/core/manual-clock.ts";

test("options must be an object with known keys; the message names the key and the known ones", () => {
  for (const value of [null, 5, "text", true, [], () => {}]) {
    assert.throws(() => checkOptions(value, "options", ["a"]), { name: "ArgumentTypeError", path: "options" });
  }
  assert.throws(() => checkOptions({ a: 1, colour: 2 }, "options", ["a", "color"]), {
    name: "ArgumentTypeError",
    path: "options.colour",
    message: /^options\.colour: expected one of the options a, color, got "colour"$/,
  });
  const options = { a: 1 };
  assert.equal(checkOptions(options, "options", ["a", "b"]), options);
});

test("no options at all are empty options", () => {
  const none = checkOptions(undefined, "options", ["a"]);
  assert.deepEqual({ ...none }, {});
  assert.ok(Object.isFrozen(none));
});

test("an option that is undefined takes its default; null is no way to say that", () => {
  assert.equal(optional(undefined, "options.a", checkBoolean, true), true);
  assert.equal(optional(false, "options.a", checkBoolean, true), false);
  assert.throws(() => optional(null, "options.a", checkBoolean, true), TypeError);
});

const checks: readonly [
  name: string,
  check: (value: unknown, path: string) => unknown,
  good: unknown[],
  bad: unknown[],
][] = [
  ["a function", checkFunction, [() => {}, Map, Math.max], [undefined, null, {}, "f"]],
  ["a boolean", checkBoolean, [true, false], [undefined, 0, "true", new Boolean(true)]],
  ["a string", checkString, ["", "text"], [undefined, 5, new String("text")]],
  ["a clock", checkClock, [systemClock, new ManualClock()], [undefined, null, Date, { now: Date.now }, () => 0]],
];

for (const [name, check, good, bad] of checks) {
  test(`where ${name} is expected, it comes through as it is and nothing else does`, () => {
    for (const value of good) assert.equal(check(value, "options.x"), value);
    for (const value of bad) {
      assert.throws(() => check(value, "options.x"), {
        name: "ArgumentTypeError",
        path: "options.x",
        message: new RegExp(`^options\\.x: expected ${name}.*, got `),
      });
    }
  });
}

test("a count is a whole number from its least value up", () => {
  for (const value of [0, 1, Number.MAX_SAFE_INTEGER]) assert.equal(checkCount(value, "n", 0, false), value);
  assert.throws(() => checkCount(0, "n", 1, false), {
    name: "ArgumentRangeError",
    message: "n: expected a positive integer, got 0",
  });
  for (const value of [-1, 0.5, Number.NaN, 2 ** 53, Infinity, -Infinity]) {
    assert.throws(() => checkCount(value, "n", 0, false), { name: "ArgumentRangeError" });
  }
  for (const value of [undefined, null, "5", 5n, [5]]) {
    assert.throws(() => checkCount(value, "n", 0, false), { name: "ArgumentTypeError" });
  }
});

test("a count without a limit is Infinity, where that is allowed", () => {
  assert.equal(checkCount(Infinity, "n", 1, true), Infinity);
  assert.equal(checkCount("Infinity", "n", 1, true), Infinity);
  assert.throws(() => checkCount("Infinity", "n", 1, false), RangeError);
  assert.throws(() => checkCount(-Infinity, "n", 1, true), {
    message: "n: expected a positive integer or Infinity, got -Infinity",
  });
});
