import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  isSafetyLimits,
  limitDefault,
  makeSafetyLimits,
  makeUnlimitedSafetyLimits,
  safetyLimitNames,
  toSafetyLimits,
} from "../../src/limits/safety-limits.ts";
import type { SafetyLimitName } from "../../src/limits/safety-limits.ts";
import { looksOf } from "../support/fast-properties.ts";
import { names, table } from "./table.ts";
import type { Contract } from "./table.ts";

const contractOf = (name: SafetyLimitName): Contract => table[name].contract;
const withContract = (...contracts: Contract[]) => names.filter((name) => contracts.includes(contractOf(name)));

/** What a limit makes of a value given for it. */
function made(name: SafetyLimitName, value: unknown): unknown {
  return makeSafetyLimits({ [name]: value })[name];
}

test("the defaults are those of the design, Racket's seventeen first", () => {
  assert.deepEqual(safetyLimitNames, names);
  assert.deepEqual({ ...makeSafetyLimits() }, Object.fromEntries(names.map((name) => [name, table[name].default])));
  assert.deepEqual(
    { ...makeUnlimitedSafetyLimits() },
    Object.fromEntries(names.map((name) => [name, table[name].unlimited])),
  );
  for (const name of names) {
    assert.deepEqual(limitDefault(name, "default"), table[name].default);
    assert.deepEqual(limitDefault(name, "unlimited"), table[name].unlimited);
  }
});

test("a limit that is given holds, and the others keep their defaults", () => {
  const limits = makeSafetyLimits({ maxConcurrent: 5, responseTimeout: "30s" });
  assert.equal(limits.maxConcurrent, 5);
  assert.equal(limits.responseTimeout, 30_000);
  assert.equal(limits.idleTimeout, 75_000);
  assert.equal(makeUnlimitedSafetyLimits({ idleTimeout: 1 }).maxConcurrent, Infinity);
});

test("undefined is as if the limit were not given", () => {
  const given = Object.fromEntries(names.map((name) => [name, undefined]));
  assert.deepEqual(makeSafetyLimits(given as never), makeSafetyLimits());
  assert.deepEqual(makeSafetyLimits(undefined), makeSafetyLimits());
});

test("limits are frozen, all the way down", () => {
  for (const limits of [makeSafetyLimits(), makeUnlimitedSafetyLimits({ minSendRate: 5, maxStreamResets: 7 })]) {
    assert.ok(Object.isFrozen(limits));
    for (const value of Object.values(limits)) assert.ok(Object.isFrozen(value));
    assert.throws(() => Object.assign(limits, { maxConcurrent: 1 }), TypeError);
  }
});

test("a form may have as many parts as fields and files together, unless it is said otherwise", () => {
  assert.equal(makeSafetyLimits({ maxFormDataFields: 3, maxFormDataFiles: 4 }).maxFormDataParts, 7);
  assert.equal(makeSafetyLimits({ maxFormDataFields: 3, maxFormDataParts: 5 }).maxFormDataParts, 5);
  assert.equal(makeSafetyLimits({ maxFormDataFiles: Infinity }).maxFormDataParts, Infinity);
  assert.equal(makeUnlimitedSafetyLimits({ maxFormDataFields: 3 }).maxFormDataParts, Infinity);
});

test("limits can be told from other values, also those of another copy of this package", async () => {
  const copy = (await import(`${import.meta.resolve("../../src/limits/safety-limits.js")}?copy`)) as {
    makeSafetyLimits: typeof makeSafetyLimits;
    isSafetyLimits: typeof isSafetyLimits;
  };
  assert.notEqual(copy.makeSafetyLimits, makeSafetyLimits);
  for (const limits of [makeSafetyLimits(), makeUnlimitedSafetyLimits(), copy.makeSafetyLimits()]) {
    assert.ok(isSafetyLimits(limits));
    assert.ok(copy.isSafetyLimits(limits));
    assert.equal(toSafetyLimits(limits, "limits"), limits);
  }
  for (const value of [{ ...makeSafetyLimits() }, {}, null, undefined, 1, "limits"])
    assert.equal(isSafetyLimits(value), false);
});

test("plain options are completed with the safe defaults", () => {
  const limits = toSafetyLimits({ maxConcurrent: 3 }, "limits");
  assert.ok(isSafetyLimits(limits));
  assert.equal(limits.maxConcurrent, 3);
  assert.deepEqual(toSafetyLimits(undefined, "limits"), makeSafetyLimits());
  assert.deepEqual(toSafetyLimits({ ...limits }, "limits"), limits);
});

test("times are also taken as text, and turned off by Infinity", () => {
  for (const name of withContract("time", "finite time", "time or null")) {
    assert.equal(made(name, 0), 0);
    assert.equal(made(name, "1500ms"), 1500);
    assert.equal(made(name, "30s"), 30_000);
    assert.equal(made(name, "1.5 m"), 90_000);
    if (contractOf(name) === "finite time") continue;
    assert.equal(made(name, Infinity), Infinity);
    assert.equal(made(name, "Infinity"), Infinity);
  }
  assert.equal(made("shutdownGracePeriod", null), null);
});

test("lengths are also taken as text, and turned off by Infinity", () => {
  for (const name of withContract("size")) {
    assert.equal(made(name, 0), 0);
    assert.equal(made(name, "64 kB"), 64_000);
    assert.equal(made(name, "1 MiB"), 2 ** 20);
    assert.equal(made(name, "Infinity"), Infinity);
  }
});

test("counts are whole numbers, and turned off by Infinity", () => {
  for (const name of withContract("count", "positive count")) {
    assert.equal(made(name, 7), 7);
    assert.equal(made(name, Infinity), Infinity);
    assert.equal(made(name, "Infinity"), Infinity);
  }
  for (const name of withContract("count", "finite count")) assert.equal(made(name, 0), 0);
});

test("a rate is a number of bytes a second, or says after how long it is judged", () => {
  for (const name of withContract("rate")) {
    assert.deepEqual(made(name, 1000), { bytesPerSecond: 1000, grace: 5000 });
    assert.deepEqual(made(name, "1 KiB"), { bytesPerSecond: 1024, grace: 5000 });
    assert.deepEqual(made(name, { bytesPerSecond: "1 kB", grace: "2s" }), { bytesPerSecond: 1000, grace: 2000 });
    assert.deepEqual(made(name, { bytesPerSecond: 10 }), { bytesPerSecond: 10, grace: 5000 });
    assert.deepEqual(made(name, 0), { bytesPerSecond: 0, grace: 5000 });
  }
});

test("a count in a time is a number, or says in which time", () => {
  assert.deepEqual(made("maxStreamResets", 5), { count: 5, per: 30_000 });
  assert.deepEqual(made("maxControlFrames", 5), { count: 5, per: 10_000 });
  assert.deepEqual(made("maxControlFrames", { count: 5, per: "1m" }), { count: 5, per: 60_000 });
  assert.deepEqual(made("maxStreamResets", { count: Infinity }), { count: Infinity, per: 30_000 });
});

const wrongFor: Record<Contract, readonly unknown[]> = {
  "positive count": [0, -1, 1.5, Number.NaN, -Infinity, "12", "many", true, null, [], {}, 5n, 2 ** 53],
  count: [-1, 1.5, Number.NaN, -Infinity, "12", "many", true, null, [], {}, 5n],
  "finite count": [-1, 1.5, Number.NaN, Infinity, "Infinity", "12", true, null, [], {}],
  size: [-1, 1.5, Number.NaN, -Infinity, "12", "1 MB/s", "1 Mib", "-1 kB", "30s", true, null, [], {}],
  time: [-1, Number.NaN, -Infinity, "12", "1 hour", "-1s", "1 KiB", true, null, [], {}],
  "finite time": [-1, Number.NaN, Infinity, "Infinity", "1 hour", null, {}],
  "time or null": [-1, Number.NaN, "null", "1 hour", true, [], {}],
  rate: [
    -1,
    1.5,
    Number.NaN,
    Infinity,
    "fast",
    true,
    null,
    [],
    {},
    { bytesPerSecond: -1 },
    { bytesPerSecond: 1, grace: Infinity },
    { bytesPerSecond: 1, per: 5 },
  ],
  "count per time": [
    -1,
    1.5,
    Number.NaN,
    "fast",
    true,
    null,
    [],
    {},
    { count: -1 },
    { count: 1, per: Infinity },
    { count: 1, grace: 5 },
  ],
};

for (const name of names) {
  test(`${name} refuses what it does not mean, naming path, expected and received`, () => {
    for (const value of wrongFor[contractOf(name)]) {
      assert.throws(
        () => made(name, value),
        (error: Error & { code: string; path: string; expected: string }) => {
          assert.match(error.code, /^ERR_PORTREEVE_ARGUMENT_(?:TYPE|RANGE)$/u);
          assert.ok(error.path.startsWith(`safetyLimits.${name}`), error.path);
          assert.ok(error.message.startsWith(`${error.path}: expected ${error.expected}, got `), error.message);
          return true;
        },
        `${name}: ${inspect(value)}`,
      );
    }
  });
}

test("the messages can be read", () => {
  const messages: [() => unknown, string][] = [
    [() => made("maxConcurrent", -1), "safetyLimits.maxConcurrent: expected a positive integer or Infinity, got -1"],
    [() => made("maxWaiting", Infinity), "safetyLimits.maxWaiting: expected an integer from 0 up, got Infinity"],
    [
      () => toSafetyLimits({ maxRequestHeaders: "a" }, "options.limits"),
      'options.limits.maxRequestHeaders: expected an integer from 0 up or Infinity, got "a"',
    ],
    [() => makeSafetyLimits(5 as never), "safetyLimits: expected an options object, got 5"],
  ];
  for (const [call, message] of messages) assert.throws(call, { message });
});

test("a limit that does not exist is an error that names those that do", () => {
  for (const make of [makeSafetyLimits, makeUnlimitedSafetyLimits]) {
    assert.throws(() => make({ maxConcurent: 5 } as never), {
      name: "ArgumentTypeError",
      path: "safetyLimits.maxConcurent",
      message:
        /^safetyLimits\.maxConcurent: expected one of the options maxConcurrent, maxWaiting, .*lingerTimeout, got "maxConcurent"$/u,
    });
  }
  for (const value of [null, 1, "limits", [], () => {}]) {
    assert.throws(() => toSafetyLimits(value, "options.safetyLimits"), { path: "options.safetyLimits" });
  }
});

test("limits are kept in the form that V8 reads fast, however they are made", () => {
  const seen = looksOf(`
    const limits = await import(process.argv[1] + "/src/index.js");
    look(limits.makeSafetyLimits());
    look(limits.makeUnlimitedSafetyLimits({ maxConcurrent: 5, minSendRate: 1000, shutdownGracePeriod: "3s" }));
    look(limits.startConnectionManager({ safetyLimits: { idleTimeout: Infinity } }).safetyLimits);
  `);
  assert.deepEqual(seen, [true, true, true]);
});
