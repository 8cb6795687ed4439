/** A program that blocks while resets share a reading of the clock. The clock of the process is moved by hand here. */
import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { startTimerManager } from "../../src/timers/index.ts";

function nothing(): void {}

/** The clock of the process, and the wake-ups that were asked of it: what they run, and when. */
function processClock(t: TestContext) {
  const asked: { at: number; wake: () => void }[] = [];
  const clock = { now: performance.now(), asked };
  t.mock.method(performance, "now", () => clock.now);
  t.mock.method(globalThis, "setTimeout", (wake: () => void, delay: number) => {
    asked.push({ at: clock.now + delay, wake });
    return { unref: () => undefined };
  });
  return clock;
}

/** Makes a burst, all of whose deadlines are final so far. */
function begin(): void {
  const manager = startTimerManager();
  const timers = Array.from({ length: 100 }, () => manager.start(60_000, nothing));
  for (const timer of timers) timer.reset(60_000);
  assert.notEqual(timers[0]?.deadline, Infinity);
}

test("a timer that an action resets after a pause keeps its whole delay, though it was due in the same tick", (t) => {
  const clock = processClock(t);
  const manager = startTimerManager();
  let fired = false;
  const last = manager.start(60, () => {
    fired = true;
  });
  manager.start(50, () => last.reset(300));
  const { wake } = clock.asked.at(-1) ?? { wake: nothing };
  begin();
  clock.now += 500;
  wake();
  assert.equal(fired, false);
  assert.ok(last.deadline >= clock.now + 300 && last.deadline <= clock.now + 301);
});

test("the wake-up for a timer that is started after a pause comes in time for those that are started behind it", (t) => {
  const clock = processClock(t);
  const manager = startTimerManager();
  begin();
  const before = clock.asked.length;
  clock.now += 3000;
  manager.start(12_000, nothing);
  const { deadline } = manager.start(8000, nothing);
  const wakeups = clock.asked.slice(before).map(({ at }) => at);
  assert.ok(Math.min(...wakeups) <= deadline + manager.resolution + 2, `${wakeups.join(", ")} for ${deadline}`);
});
