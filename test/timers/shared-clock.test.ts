import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { ManualClock } from "../../src/core/manual-clock.ts";
import { startTimerManager } from "../../src/timers/index.ts";
import { SharedClock } from "../../src/timers/shared-clock.ts";

/** A clock in a burst, which ends with this turn of the loop. */
function burst() {
  const clock = new ManualClock();
  let readings = 0;
  const now = () => {
    readings++;
    return clock.now();
  };
  clock.advance(1000);
  const shared = new SharedClock({ now });
  const reset = (delay: number, deadline = { at: 0 }) => {
    deadline.at = shared.now() + delay;
    shared.wrote(deadline, deadline.at);
    return deadline;
  };
  for (let i = 0; i < 33; i++) reset(0);
  return { clock, shared, reset, readings: () => readings };
}

test("resets in quick succession share a clock reading, and each is at most a tenth of a millisecond ahead", () => {
  const { clock, reset, readings } = burst();
  const before = readings();
  const deadlines = Array.from({ length: 50 }, (_, i) => reset(i));
  assert.equal(readings(), before);
  deadlines.forEach(({ at }, i) => assert.ok(at >= clock.now() + i && at <= clock.now() + i + 0.101));
});

test("resets that do not come in quick succession get a reading each", () => {
  const { clock, reset, readings } = burst();
  const fresh = new SharedClock({ now: () => clock.now() });
  for (let i = 0; i < 100; i++) {
    clock.advance(0.1);
    assert.equal(fresh.now(), clock.now());
  }
  reset(0);
  assert.ok(readings() < 100);
});

test("a program that resets ten timers every millisecond gets a reading for each", () => {
  const clock = new ManualClock();
  let readings = 0;
  const shared = new SharedClock({
    now() {
      readings++;
      return clock.now();
    },
  });
  for (let callback = 0; callback < 100; callback++) {
    clock.advance(1);
    for (let i = 0; i < 10; i++) assert.equal(shared.now(), clock.now());
  }
  assert.equal(readings, 1000);
});

test("a burst ends with the turn of the loop, and then each reset gets a reading again", async () => {
  const { clock, shared, reset } = burst();
  const deadline = reset(50);
  clock.stall(3);
  await turn();
  assert.ok(deadline.at >= 1053, "what was reset before a pause counts from after it");
  for (let i = 0; i < 10; i++) {
    assert.equal(shared.now(), clock.now());
    clock.stall(0.01);
  }
});

test("while many are reset in every turn of the loop, each turn has one reading; after a turn with few, each reset has one", async () => {
  const { clock, reset, readings } = burst();
  for (let i = 0; i < 30; i++) reset(50);
  for (let turns = 0; turns < 10; turns++) {
    await turn();
    clock.advance(5);
    const before = readings();
    for (let i = 0; i < 30; i++) reset(50);
    assert.equal(readings(), before + 1);
  }
  await turn();
  clock.advance(5);
  reset(50);
  await turn();
  const before = readings();
  for (let i = 0; i < 10; i++) reset(50);
  assert.equal(readings(), before + 10);
});

test("a program that blocks between two resets of one burst makes neither early, and both are as late as it was", () => {
  const { clock, shared, reset } = burst();
  const first = reset(100);
  clock.stall(500);
  const second = reset(100);
  shared.settle();
  for (const { at } of [first, second]) assert.ok(at >= 1600 && at <= 1600.2, `${at}`);
});

test("settling is final: what was reset before it does not move again", () => {
  const { clock, shared, reset } = burst();
  const deadline = reset(100);
  shared.settle();
  const { at } = deadline;
  clock.stall(500);
  reset(100);
  shared.settle();
  assert.equal(deadline.at, at);
});

test("whatever is reset, moved otherwise and blocked in a burst, no deadline is early or later than the end of its share", () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ which: fc.nat({ max: 20 }), delay: fc.double({ min: 0, max: 1e6, noNaN: true }) }),
    },
    { weight: 1, arbitrary: fc.record({ which: fc.nat({ max: 20 }), delay: fc.constant(Infinity) }) },
    { weight: 3, arbitrary: fc.record({ pause: fc.double({ min: 0, max: 0.2, noNaN: true }) }) },
    { weight: 1, arbitrary: fc.record({ pause: fc.integer({ min: 0, max: 5000 }) }) },
    { weight: 1, arbitrary: fc.record({ settle: fc.constant(true) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: "max" }), (steps) => {
      const { clock, shared, reset } = burst();
      const deadlines = Array.from({ length: 21 }, () => ({ at: 0 }));
      const expected = deadlines.map(() => ({ earliest: 0, delay: 0 }));
      const check = () => {
        shared.settle();
        deadlines.forEach(({ at }, i) => {
          const { earliest } = expected[i] as { earliest: number };
          assert.ok(at >= earliest, `${at} is early for ${earliest}`);
        });
      };
      for (const taken of steps) {
        if ("pause" in taken) clock.stall(taken.pause);
        else if ("settle" in taken) check();
        else {
          reset(taken.delay, deadlines[taken.which]);
          expected[taken.which] = { earliest: clock.now() + taken.delay, delay: taken.delay };
        }
      }
      check();
      deadlines.forEach(({ at }, i) => {
        const { earliest, delay } = expected[i] as { earliest: number; delay: number };
        if (earliest !== 0 && delay !== Infinity) assert.ok(at <= clock.now() + delay + 0.2, `${at} is late`);
      });
    }),
    { numRuns: 500 },
  );
});

/** On the clock of the process, in a burst. */
function crowd() {
  const manager = startTimerManager();
  const timers = Array.from({ length: 300 }, () => manager.start(60_000, () => {}));
  for (const timer of timers) timer.reset(60_000);
  return { manager, timers };
}

function block(ms: number): number {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return performance.now();
}

for (const [verb, move, added] of [
  ["reads its deadline", () => {}, 0],
  ["increments it", (timer: { increment(ms: number): boolean }) => timer.increment(1000), 1000],
] as const) {
  test(`a timer that is reset after a pause in a burst keeps its whole delay when the program ${verb}`, () => {
    const { manager, timers } = crowd();
    for (const timer of timers) {
      const before = timer === timers[7] ? block(20) : performance.now();
      timer.reset(70_000);
      move(timer);
      const { deadline } = timer;
      assert.ok(deadline >= before + 70_000 + added && deadline <= performance.now() + 70_001 + added);
      assert.equal(timer.deadline, deadline);
    }
    manager[Symbol.dispose]();
  });
}

test("timers that are reset, moved to earlier and cancelled in a burst with pauses fire on time or not at all", async () => {
  const { manager, timers } = crowd();
  const early: number[] = [];
  let fired = 0;
  const alive = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => {
    timers.forEach((timer, i) => {
      if (i % 100 === 50) block(15);
      if (i % 3 === 0) {
        timer.cancel();
        return;
      }
      const delay = i % 7 === 0 ? 0 : 20 + (i % 50);
      const due = performance.now() + delay;
      timer.revise(delay, () => {
        if (performance.now() < due) early.push(due);
        if (++fired === 200) resolve();
      });
    });
  });
  clearInterval(alive);
  assert.deepEqual(early, []);
  assert.equal(manager.size, 0);
});
