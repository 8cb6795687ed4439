import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../src/core/manual-clock.ts";
import { startTimer, startTimerManager } from "../../src/timers/index.ts";

const day = 86_400_000;

function nothing(): void {}

test("a deadline that is already past fires in the next turn, never inside the call", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  clock.advance(1000);
  const fired = new Set<string>();
  startTimer(manager, 0, () => fired.add("started"));
  startTimer(manager, 5000, () => fired.add("reset")).reset(0);
  startTimer(manager, 5000, () => fired.add("incremented")).increment(-20_000);
  startTimer(manager, 5000, nothing).revise(0, () => fired.add("revised"));
  assert.deepEqual(fired, new Set());
  clock.advance(0);
  assert.deepEqual(fired, new Set(["started", "reset", "incremented", "revised"]));
});

test("what an action starts or moves with a deadline already past waits for the turn after", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  const fired = new Set<string>();
  let inAction = false;
  const note = (name: string) => () => {
    assert.equal(inAction, false);
    fired.add(name);
  };
  const other = startTimer(manager, "1h", note("moved"));
  startTimer(manager, 100, () => {
    inAction = true;
    startTimer(manager, 0, note("started"));
    other.reset(0);
    inAction = false;
  });
  clock.advance(100);
  assert.deepEqual(fired, new Set(["moved", "started"]));
});

test("a timer that restarts itself at once does not keep the others waiting", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  let turns = 0;
  const again = () => {
    if (turns++ < 100) startTimer(manager, 0, again);
  };
  startTimer(manager, 10, again);
  let turnsBefore = -1;
  startTimer(manager, 10, () => {
    turnsBefore = turns;
  });
  clock.advance(10);
  assert.ok(turnsBefore <= 1, `${turnsBefore} turns came before`);
  assert.equal(turns, 101);
});

test("a deadline in the past can be moved back into the future before it fires", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  clock.advance(100);
  let firedAt = -1;
  const timer = startTimer(manager, 50, () => {
    firedAt = clock.now();
  });
  timer.increment(-1000);
  assert.equal(timer.deadline, -850);
  timer.increment(2000);
  clock.advance(10_000);
  assert.equal(firedAt, 1150);
});

test("Infinity never fires, stays Infinity however it is incremented, and can be reset", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  let fired = 0;
  const timer = startTimer(manager, Infinity, () => fired++);
  assert.equal(clock.pending, 0);
  for (const ms of [1, -1, 1e300, -1e300, Infinity]) {
    assert.equal(timer.increment(ms), true);
    assert.equal(timer.deadline, Infinity);
  }
  clock.advance(1e6 * day);
  assert.equal(fired, 0);
  assert.equal(timer.active, true);
  assert.equal(manager.size, 1);
  timer.reset(100);
  clock.advance(100);
  assert.equal(fired, 1);
});

test("a deadline can be lifted to Infinity", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  let fired = 0;
  const lift = startTimer(manager, 100, () => fired++);
  const add = startTimer(manager, 100, () => fired++);
  lift.reset(Infinity);
  add.increment("Infinity");
  clock.advance(day);
  assert.equal(fired, 0);
  assert.equal(clock.pending, 0);
  lift.cancel();
  add.cancel();
  assert.equal(manager.size, 0);
});

// 2^31 ms is where setTimeout gives up, 2^30 ticks (124 days) is where the wheel begins a new turn.
for (const ms of [2 ** 31, 2 ** 31 + 1, 2 ** 30 * 10 - 1, 2 ** 30 * 10, 2 ** 30 * 10 + 1, 400 * day, 36_500 * day]) {
  test(`a deadline ${ms} ms ahead is kept`, () => {
    const clock = new ManualClock();
    const manager = startTimerManager({ clock });
    clock.advance(12_345);
    const fired: number[] = [];
    const timer = startTimer(manager, ms, () => fired.push(clock.now()));
    const moved = startTimer(manager, 5, () => fired.push(clock.now()));
    moved.reset(ms);
    clock.advance(ms - 1);
    assert.deepEqual(fired, []);
    clock.advance(11);
    assert.equal(fired.length, 2);
    for (const at of fired) assert.ok(at >= timer.deadline && at <= timer.deadline + 10);
  });
}

test("timers keep their time after years of uptime", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  startTimer(manager, 1000 * day, nothing);
  for (let year = 0; year < 5; year++) {
    clock.advance(365 * day);
    const due = clock.now() + 12_345;
    let firedAt = -1;
    startTimer(manager, 12_345, () => {
      firedAt = clock.now();
    });
    clock.advance(60_000);
    assert.ok(firedAt >= due && firedAt <= due + 10, `due at ${due}, fired at ${firedAt}`);
  }
});

test("timers fire in the order of their deadlines, to the resolution", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  const fired: number[] = [];
  for (const ms of [70_000, 20, 5_000_000, 300, 2560, 10, 655_360]) startTimer(manager, ms, () => fired.push(ms));
  clock.advance("2h");
  assert.deepEqual(fired, [10, 20, 300, 2560, 70_000, 655_360, 5_000_000]);
});
