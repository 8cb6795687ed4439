import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../src/core/manual-clock.ts";
import {
  cancelTimer,
  incrementTimer,
  isTimer,
  isTimerManager,
  resetTimer,
  reviseTimer,
  startTimer,
  startTimerManager,
} from "../../src/timers/index.ts";

function begin() {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  const fired: string[] = [];
  const start = (ms: number | string, name = "timer") => startTimer(manager, ms, () => fired.push(name));
  return { clock, manager, fired, start };
}

test("a timer runs its action once, when its deadline has passed and not before", () => {
  const { clock, manager, fired, start } = begin();
  const timer = start(1000);
  assert.equal(timer.deadline, 1000);
  assert.equal(timer.manager, manager);
  clock.advance(999);
  assert.deepEqual(fired, []);
  assert.equal(timer.active, true);
  clock.advance(1);
  assert.deepEqual(fired, ["timer"]);
  assert.equal(timer.active, false);
  clock.advance("1h");
  assert.deepEqual(fired, ["timer"]);
});

test("reset moves the deadline to that long from now, later or earlier", () => {
  const { clock, fired, start } = begin();
  const later = start(100, "later");
  const earlier = start(10_000, "earlier");
  clock.advance(50);
  assert.equal(later.reset(5000), true);
  assert.equal(earlier.reset(200), true);
  assert.equal(later.deadline, 5050);
  assert.equal(earlier.deadline, 250);
  clock.advance(200);
  assert.deepEqual(fired, ["earlier"]);
  clock.advance(4800);
  assert.deepEqual(fired, ["earlier", "later"]);
});

test("increment moves the deadline by that much, later or earlier", () => {
  const { clock, fired, start } = begin();
  const timer = start(1000);
  assert.equal(timer.increment(500), true);
  assert.equal(timer.deadline, 1500);
  assert.equal(timer.increment("-1.3s"), true);
  assert.equal(timer.deadline, 200);
  clock.advance(200);
  assert.deepEqual(fired, ["timer"]);
});

test("revise replaces the deadline and the action together", () => {
  const { clock, fired, start } = begin();
  const timer = start(1000, "old");
  const action = () => fired.push("new");
  assert.equal(timer.revise(3000, action), true);
  assert.equal(timer.action, action);
  clock.advance(3000);
  assert.deepEqual(fired, ["new"]);
});

test("the functions named as in Racket do what the methods do", () => {
  const { clock, manager, fired, start } = begin();
  const timer = start(1000);
  assert.equal(isTimer(timer) && isTimerManager(manager), true);
  assert.equal(isTimer(manager) || isTimerManager(timer) || isTimer(null) || isTimerManager({}), false);
  assert.equal(resetTimer(timer, 500), true);
  assert.equal(incrementTimer(timer, 100), true);
  assert.equal(timer.deadline, 600);
  assert.equal(
    reviseTimer(timer, 50, () => fired.push("revised")),
    true,
  );
  clock.advance(50);
  assert.deepEqual(fired, ["revised"]);
  assert.equal(cancelTimer(timer), false);
});

for (const [ending, end] of [
  ["fired", (clock: ManualClock) => clock.advance(100)],
  ["been cancelled", (_: ManualClock, cancel: () => boolean) => assert.equal(cancel(), true)],
] as const) {
  test(`after a timer has ${ending} every verb does nothing and returns false`, () => {
    const { clock, manager, fired, start } = begin();
    const timer = start(100);
    end(clock, () => timer.cancel());
    const before = [...fired];
    const { action, deadline } = timer;
    assert.equal(timer.reset(50), false);
    assert.equal(timer.increment(50), false);
    assert.equal(timer.increment(-500), false);
    assert.equal(
      timer.revise(50, () => fired.push("revised")),
      false,
    );
    assert.equal(timer.cancel(), false);
    assert.equal(timer.action, action);
    assert.equal(timer.deadline, deadline);
    assert.equal(timer.active, false);
    assert.equal(manager.size, 0);
    clock.advance("1d");
    assert.deepEqual(fired, before);
  });
}

test("inside its own action a timer has already fired", () => {
  const { clock, manager } = begin();
  let runs = 0;
  const timer = startTimer(manager, 100, () => {
    runs++;
    assert.equal(timer.active, false);
    assert.equal(timer.reset(10), false);
    assert.equal(timer.cancel(), false);
  });
  clock.advance(1000);
  assert.equal(runs, 1);
});

test("a timer is handed its subject, so that many can share one action", () => {
  const { clock, manager } = begin();
  const seen: number[] = [];
  const action = (subject: number) => seen.push(subject);
  for (const subject of [3, 1, 2]) manager.start(subject * 100, action, subject);
  clock.advance(1000);
  assert.deepEqual(seen, [1, 2, 3]);
});

test("disposing of a timer cancels it", () => {
  const { clock, fired, start } = begin();
  start(100)[Symbol.dispose]();
  clock.advance(1000);
  assert.deepEqual(fired, []);
});

test("disposing of a manager cancels its timers for good, those that wait for ever included", () => {
  const { clock, manager, fired, start } = begin();
  const waiting = [start(0), start(10), start("5m"), start("1000d"), start(Infinity)];
  manager[Symbol.dispose]();
  assert.equal(manager.size, 0);
  assert.equal(clock.pending, 0);
  for (const timer of waiting) {
    assert.equal(timer.active, false);
    assert.equal(timer.reset(1), false);
  }
  assert.throws(() => start(1), { code: "ERR_PORTREEVE_MANAGER_DISPOSED" });
  manager[Symbol.dispose]();
  clock.advance("2000d");
  assert.deepEqual(fired, []);
});

test("an action may dispose of its manager: what was due with it does not run", () => {
  const { clock, manager } = begin();
  let runs = 0;
  for (let i = 0; i < 3; i++) {
    startTimer(manager, 100, () => {
      runs++;
      manager[Symbol.dispose]();
    });
  }
  clock.advance(1000);
  assert.equal(runs, 1);
  assert.equal(clock.pending, 0);
});
