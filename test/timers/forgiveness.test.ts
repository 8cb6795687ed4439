import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../src/core/manual-clock.ts";
import { startTimer, startTimerManager } from "../../src/timers/index.ts";

function begin(forgiving = true) {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock, forgiving });
  const fired: [string, number][] = [];
  const start = (ms: number, name = "timer") => startTimer(manager, ms, () => fired.push([name, clock.now()]));
  return { clock, manager, fired, start };
}

test("a late tick grants what is due its lateness, so that a pause of ours times no client out", () => {
  const { clock, fired, start } = begin();
  const client = start(1000);
  clock.stall(3000);
  clock.advance(0);
  assert.deepEqual(fired, []);
  assert.equal(client.deadline, 3000);
});

test("a client whose bytes were waiting in the kernel lives: its deadline moves before it is judged again", () => {
  const { clock, fired, start } = begin();
  const heard = start(1000, "heard");
  start(1000, "silent");
  clock.stall(3000);
  clock.advance(0);
  heard.reset(1000);
  clock.advance(999);
  assert.deepEqual(fired, [["silent", 3001]]);
  clock.advance(1);
  assert.deepEqual(fired, [
    ["silent", 3001],
    ["heard", 4000],
  ]);
});

test("one that really stopped ends at its deadline plus the lateness plus one resolution at the latest", () => {
  const { clock, manager, fired, start } = begin();
  for (const deadline of [1000, 1500, 2000, 2990]) start(deadline, String(deadline));
  clock.stall(3000);
  clock.advance(5000);
  assert.equal(fired.length, 4);
  for (const [name, at] of fired) {
    const granted = Number(name) + 2000;
    assert.ok(at >= granted && at <= granted + manager.resolution, `${name} fired at ${at}`);
  }
});

test("the lateness is granted once: the tick after, being on time, judges", () => {
  const { clock, fired, start } = begin();
  start(1000);
  clock.stall(3000);
  clock.advance(0);
  clock.advance(10);
  assert.deepEqual(fired, [["timer", 3001]]);
});

test("deadlines that lie after the pause are not moved", () => {
  const { clock, fired, start } = begin();
  start(1000, "during");
  const after = start(3500, "after");
  clock.stall(3000);
  clock.advance(100);
  assert.equal(after.deadline, 3500);
  clock.advance(400);
  assert.deepEqual(
    fired.map(([name]) => name),
    ["during", "after"],
  );
});

test("being late by no more than the resolution is no pause", () => {
  const { clock, fired, start } = begin();
  start(1000);
  clock.stall(1010);
  clock.advance(0);
  assert.deepEqual(fired, [["timer", 1010]]);
});

test("a loop that is late at every tick is slow, not paused: after three late ticks running, deadlines count", () => {
  const { clock, fired, start } = begin();
  start(1000);
  let stalls = 0;
  for (; fired.length === 0 && stalls < 10; stalls++) {
    clock.stall(2000);
    clock.advance(0);
  }
  assert.equal(stalls, 4);
});

test("one tick on time ends a run of late ones", () => {
  const { clock, fired, start } = begin();
  for (let round = 0; round < 10; round++) {
    const client = start(100, "client");
    clock.stall(2000);
    clock.advance(0);
    assert.equal(client.active, true);
    client.cancel();
    start(10, "on time");
    clock.advance(10);
  }
  assert.ok(fired.every(([name]) => name === "on time"));
});

test("a pause made by an action of the same manager is forgiven, too", () => {
  const { clock, manager, fired, start } = begin();
  startTimer(manager, 1000, () => clock.stall(2000));
  const client = start(1500, "client");
  clock.advance(1000);
  clock.advance(0);
  assert.deepEqual(fired, []);
  assert.ok(client.deadline >= 3000);
  clock.advance(100);
  assert.equal(fired.length, 1);
});

test("a timer that an action starts after its own pause is not forgiven what it did not suffer", () => {
  const { clock, manager, fired, start } = begin();
  startTimer(manager, 1000, () => {
    clock.stall(2000);
    start(500, "later");
  });
  clock.advance(3000);
  clock.advance(500);
  assert.deepEqual(fired, [["later", 3500]]);
});

test("a late tick finds a timer that was moved to after the pause where it belongs", () => {
  const { clock, fired, start } = begin();
  const moved = start(1000);
  moved.reset(10_000);
  clock.stall(3000);
  clock.advance(0);
  assert.equal(moved.deadline, 10_000);
  clock.advance(7000);
  assert.deepEqual(fired, [["timer", 10_000]]);
});

test("plain timers are not forgiven: grace periods and finalizers end on time, or late by the pause", () => {
  const { clock, fired, start } = begin(false);
  start(1000);
  clock.stall(3000);
  clock.advance(0);
  assert.deepEqual(fired, [["timer", 3000]]);
});

for (const forgiving of [true, false]) {
  test(`a manager that is ${forgiving ? "" : "not "}forgiving asks its clock for ${forgiving ? "a" : "no"} round of I/O first`, () => {
    const clock = new ManualClock();
    const asked: unknown[] = [];
    const manager = startTimerManager({
      forgiving,
      clock: {
        now: () => clock.now(),
        wakeAfter(ms, wake, afterIo) {
          asked.push(afterIo);
          return clock.wakeAfter(ms, wake);
        },
        cancelWakeup: (wakeup) => clock.cancelWakeup(wakeup),
      },
    });
    startTimer(manager, 10, () => startTimer(manager, 10, () => {}));
    clock.advance(100);
    assert.deepEqual(asked, [forgiving, forgiving]);
  });
}
