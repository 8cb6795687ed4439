import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../src/core/manual-clock.ts";
import {
  cancelTimer,
  incrementTimer,
  resetTimer,
  reviseTimer,
  startTimer,
  startTimerManager,
} from "../../src/timers/index.ts";
import type { Duration, Timer, TimerManager, TimerManagerOptions } from "../../src/timers/index.ts";

function nothing(): void {}

const outOfRange = { name: "ArgumentRangeError", code: "ERR_PORTREEVE_ARGUMENT_RANGE" };
const wrongType = { name: "ArgumentTypeError", code: "ERR_PORTREEVE_ARGUMENT_TYPE" };

const badDurations: readonly [unknown, typeof outOfRange][] = [
  [Number.NaN, outOfRange],
  [-Infinity, outOfRange],
  ["", outOfRange],
  ["30", outOfRange],
  ["30 seconds", outOfRange],
  ["NaN", outOfRange],
  [undefined, wrongType],
  [null, wrongType],
  [30n, wrongType],
  [{ valueOf: () => 30 }, wrongType],
  [[30], wrongType],
  [new Date(0), wrongType],
];
const negativeDurations: readonly [unknown, typeof outOfRange][] = [
  [-1, outOfRange],
  [-1e-9, outOfRange],
  ["-5s", outOfRange],
];

const verbs: Readonly<Record<string, (timer: Timer, ms: Duration) => unknown>> = {
  startTimer: (timer, ms) => startTimer(timer.manager, ms, nothing),
  resetTimer: (timer, ms) => resetTimer(timer, ms),
  reviseTimer: (timer, ms) => reviseTimer(timer, ms, nothing),
  incrementTimer: (timer, ms) => incrementTimer(timer, ms),
};

function begin(): Timer {
  return startTimer(startTimerManager({ clock: new ManualClock() }), 1000, nothing);
}

for (const [name, call] of Object.entries(verbs)) {
  test(`${name} refuses what is no duration, says what it got, and changes nothing`, () => {
    const timer = begin();
    for (const [value, expected] of name === "incrementTimer"
      ? badDurations
      : [...badDurations, ...negativeDurations]) {
      assert.throws(() => call(timer, value as Duration), {
        ...expected,
        message: /^ms: expected a duration .*, got /,
      });
      assert.equal(timer.deadline, 1000);
      assert.equal(timer.manager.size, 1);
    }
  });

  test(`${name} takes text with a unit`, () => {
    for (const text of ["2.5 s", "0ms", "1d", "Infinity"]) assert.ok(call(begin(), text));
  });
}

test("reset and revise of a timer that has ended still refuse what is no duration", () => {
  const timer = startTimer(startTimerManager({ clock: new ManualClock() }), 1, nothing);
  timer.cancel();
  assert.throws(() => timer.reset(Number.NaN), RangeError);
  assert.throws(() => timer.increment(Number.NaN), RangeError);
  assert.throws(() => timer.revise(-1, nothing), RangeError);
});

test("an action must be a function", () => {
  const manager = startTimerManager({ clock: new ManualClock() });
  const timer = startTimer(manager, 1000, nothing);
  for (const action of [undefined, null, "run", {}, 1]) {
    assert.throws(() => startTimer(manager, 1, action as never), { ...wrongType, path: "action" });
    assert.throws(() => timer.revise(1, action as never), { ...wrongType, path: "action" });
  }
  assert.equal(timer.action, nothing);
  assert.equal(timer.deadline, 1000);
});

test("the functions refuse what is no timer and no timer manager", () => {
  for (const value of [undefined, null, {}, 1, setTimeout, startTimerManager()]) {
    const timer = value as Timer;
    assert.throws(() => resetTimer(timer, 1), { ...wrongType, path: "timer" });
    assert.throws(() => incrementTimer(timer, 1), { ...wrongType, path: "timer" });
    assert.throws(() => reviseTimer(timer, 1, nothing), { ...wrongType, path: "timer" });
    assert.throws(() => cancelTimer(timer), { ...wrongType, path: "timer" });
  }
  assert.throws(() => startTimer({} as TimerManager, 1, nothing), { ...wrongType, path: "manager" });
});

test("a timer manager names the option that is wrong", () => {
  const refusals: readonly [unknown, string, RegExp][] = [
    [1, "options", /an options object, got 1$/],
    [{ resolutoin: 5 }, "options.resolutoin", /one of the options resolution, clock, onError, forgiving/],
    [{ resolution: Number.NaN }, "options.resolution", /got NaN$/],
    [{ resolution: 0 }, "options.resolution", /1 ms or more, got 0$/],
    [{ resolution: "0.5ms" }, "options.resolution", /1 ms or more, got "0.5ms"$/],
    [{ resolution: Infinity }, "options.resolution", /finite, got Infinity$/],
    [{ clock: Date }, "options.clock", /a clock/],
    [{ clock: { now: () => 0 } }, "options.clock", /a clock/],
    [{ onError: true }, "options.onError", /a function, got true$/],
    [{ forgiving: "yes" }, "options.forgiving", /a boolean, got "yes"$/],
  ];
  for (const [options, path, message] of refusals) {
    assert.throws(() => startTimerManager(options as TimerManagerOptions), { path, message });
  }
});

test("a manager's resolution is 10 ms unless it is told otherwise", () => {
  assert.equal(startTimerManager().resolution, 10);
  assert.equal(startTimerManager({ resolution: "0.25s" }).resolution, 250);
});
