import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { duration, size } from "../../src/core/units.ts";

const milliseconds = { ms: 1n, s: 1000n, m: 60_000n, h: 3_600_000n, d: 86_400_000n };
const bytes = {
  B: 1n,
  kB: 1000n,
  KiB: 1024n,
  MB: 1_000_000n,
  MiB: 1_048_576n,
  GB: 1_000_000_000n,
  GiB: 1_073_741_824n,
};

/** Decimal text with a unit, and what it is worth by exact arithmetic: a whole number of billionths. */
function amounts(units: Readonly<Record<string, bigint>>, fractionDigits: number) {
  return fc
    .record({
      whole: fc.bigInt({ min: 0n, max: 100_000n }),
      fraction: fc.stringMatching(new RegExp(`^\\d{0,${fractionDigits}}$`)),
      unit: fc.constantFrom(...Object.keys(units)),
      space: fc.constantFrom("", " "),
    })
    .map(({ whole, fraction, unit, space }) => ({
      text: `${whole}${fraction === "" ? "" : `.${fraction}`}${space}${unit}`,
      billionths: (whole * 10n ** 9n + BigInt(fraction.padEnd(9, "0"))) * (units[unit] ?? 0n),
    }));
}

test("a duration in text is worth its number times its unit, to a millionth of a millisecond", () => {
  fc.assert(
    fc.property(amounts(milliseconds, 9), ({ text, billionths }) => {
      const got = duration(text, "ms");
      const whole = billionths / 10n ** 9n;
      const fraction = Number(billionths % 10n ** 9n) / 1e9;
      assert.ok(
        Math.abs(got - Number(whole) - fraction) <= Math.max(1e-6, Number(whole) * 2 ** -52),
        `${text}: ${got}`,
      );
    }),
  );
});

test("text that is worth whole milliseconds gives exactly these", () => {
  fc.assert(
    fc.property(amounts(milliseconds, 3), ({ text, billionths }) => {
      fc.pre(billionths % 10n ** 9n === 0n);
      assert.equal(duration(text, "ms"), Number(billionths / 10n ** 9n));
    }),
  );
  for (const [text, ms] of [
    ["1.005s", 1005],
    ["0.3s", 300],
    ["2.3m", 138_000],
    ["1.1h", 3_960_000],
    ["0.7d", 60_480_000],
  ]) {
    assert.equal(duration(text, "ms"), ms);
  }
});

test("a size in text is worth whole bytes or is refused", () => {
  fc.assert(
    fc.property(amounts(bytes, 3), ({ text, billionths }) => {
      if (billionths % 10n ** 9n === 0n) assert.equal(size(text, "limit"), Number(billionths / 10n ** 9n));
      else assert.throws(() => size(text, "limit"), RangeError);
    }),
  );
  assert.equal(size("9007199254740991B", "limit"), Number.MAX_SAFE_INTEGER);
});

test("numbers are milliseconds or bytes as they are", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, noNaN: true }), (ms) => {
      assert.equal(duration(ms, "ms"), ms);
    }),
  );
  fc.assert(
    fc.property(fc.maxSafeNat(), (count) => {
      assert.equal(size(count, "limit"), count);
    }),
  );
});

test("never and no limit are spelled Infinity", () => {
  for (const value of [Infinity, "Infinity"]) {
    assert.equal(duration(value, "ms"), Infinity);
    assert.equal(size(value, "limit"), Infinity);
    assert.throws(() => duration(value, "ms", { finite: true }), RangeError);
  }
});

test("negative amounts are taken only where they mean something", () => {
  for (const value of [-5000, "-5s"]) {
    assert.equal(duration(value, "ms", { negative: true }), -5000);
    assert.throws(() => duration(value, "ms"), { message: /^ms: expected a duration .*, not negative, got / });
  }
  assert.throws(() => duration(-Infinity, "ms", { negative: true }), RangeError);
  assert.throws(() => duration("-Infinity", "ms", { negative: true }), RangeError);
  assert.equal(duration("+5s", "ms"), 5000);
});

const nonsense = [
  "",
  " ",
  "5",
  "s",
  "5 s ",
  " 5s",
  "5  s",
  "5sec",
  "5 S",
  "5M",
  "5MS",
  "1e3ms",
  "0x10ms",
  "1_000ms",
  "1,5s",
  ".5s",
  "5.s",
  "--5s",
  "1h30m",
  "infinity",
  "NaN",
  "٣s",
  "5s\n",
  "constructor",
  "5 constructor",
  "5 __proto__",
  `1${"0".repeat(400)}s`,
];

test("text that is not a number with one of the units is refused, and the message shows it", () => {
  for (const text of nonsense) {
    assert.throws(() => duration(text, "limits.timeout"), {
      name: "ArgumentRangeError",
      message: /^limits\.timeout: expected a duration such as 1500, "30s" or "5m", not negative, got "/,
    });
    assert.throws(() => size(text, "limits.length"), {
      name: "ArgumentRangeError",
      message: /^limits\.length: expected a size in whole bytes .*, got "/,
    });
  }
});

test("units of time are no sizes, and units of size no times", () => {
  for (const unit of Object.keys(milliseconds)) assert.throws(() => size(`5${unit}`, "limit"), RangeError);
  for (const unit of Object.keys(bytes)) assert.throws(() => duration(`5${unit}`, "ms"), RangeError);
});

test("what is neither number nor text is refused as a type", () => {
  for (const value of [undefined, null, true, 5n, [], {}, () => 5, Symbol("5"), new Number(5)]) {
    assert.throws(() => duration(value, "ms"), { name: "ArgumentTypeError", code: "ERR_PORTREEVE_ARGUMENT_TYPE" });
    assert.throws(() => size(value, "limit"), { name: "ArgumentTypeError", code: "ERR_PORTREEVE_ARGUMENT_TYPE" });
  }
  for (const value of [Number.NaN, -1]) {
    assert.throws(() => duration(value, "ms"), { name: "ArgumentRangeError", code: "ERR_PORTREEVE_ARGUMENT_RANGE" });
    assert.throws(() => size(value, "limit"), { name: "ArgumentRangeError", code: "ERR_PORTREEVE_ARGUMENT_RANGE" });
  }
  for (const value of [0.5, 2 ** 53, "1.5B"]) assert.throws(() => size(value, "limit"), RangeError);
});
