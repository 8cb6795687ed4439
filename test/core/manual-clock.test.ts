import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isClock, systemClock } from "../../src/core/clock.ts";
import { ManualClock } from "../../src/core/manual-clock.ts";

test("time starts at 0 and stands still until it is moved", () => {
  const clock = new ManualClock();
  assert.ok(isClock(clock));
  assert.equal(clock.now(), 0);
  clock.advance(10);
  clock.advance("2s");
  assert.equal(clock.now(), 2010);
});

test("wake-ups run in the order of their times, each at its own time, never inside the call that asks", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 100 })), (delays) => {
      const clock = new ManualClock();
      const woken: number[] = [];
      for (const ms of delays) {
        clock.wakeAfter(ms, () => {
          assert.equal(clock.now(), ms);
          woken.push(ms);
        });
      }
      assert.deepEqual(woken, []);
      clock.advance(100);
      assert.deepEqual(
        woken,
        delays.toSorted((a, b) => a - b),
      );
      assert.equal(clock.pending, 0);
    }),
  );
});

test("a wake-up asked for on the way runs in the same advance if its time comes", () => {
  const clock = new ManualClock();
  const woken: number[] = [];
  const again = () => {
    woken.push(clock.now());
    clock.wakeAfter(10, again);
  };
  clock.wakeAfter(10, again);
  clock.advance(35);
  assert.deepEqual(woken, [10, 20, 30]);
  assert.equal(clock.now(), 35);
  assert.equal(clock.pending, 1);
});

test("a wake-up that is taken back does not come; taking it back twice or too late is harmless", () => {
  const clock = new ManualClock();
  let woken = 0;
  const wakeup = clock.wakeAfter(10, () => woken++);
  clock.cancelWakeup(wakeup);
  clock.cancelWakeup(wakeup);
  clock.cancelWakeup(undefined);
  clock.advance(20);
  assert.equal(woken, 0);
});

test("what falls due in a stall comes late, at the next advance", () => {
  const clock = new ManualClock();
  const woken: number[] = [];
  clock.wakeAfter(10, () => woken.push(clock.now()));
  clock.stall("2s");
  assert.deepEqual(woken, []);
  assert.equal(clock.now(), 2000);
  clock.advance(0);
  assert.deepEqual(woken, [2000]);
});

test("time never goes back, not even when a wake-up itself moves it", () => {
  const clock = new ManualClock();
  clock.wakeAfter(10, () => clock.stall(100));
  clock.advance(20);
  assert.equal(clock.now(), 110);
  clock.wakeAfter(10, () => clock.advance(100));
  clock.advance(20);
  assert.equal(clock.now(), 220);
});

test("time moves by finite amounts from 0 up", () => {
  const clock = new ManualClock();
  for (const ms of [-1, Number.NaN, Infinity, "Infinity", "-1s"]) {
    assert.throws(() => clock.advance(ms), RangeError);
    assert.throws(() => clock.stall(ms), RangeError);
  }
  assert.equal(clock.now(), 0);
});

test("the clock of the process never goes back, and wakes when asked to and not inside the call", async () => {
  const start = systemClock.now();
  let inside = true;
  const alive = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => {
    const never = systemClock.wakeAfter(0, () => assert.fail("was taken back"));
    systemClock.wakeAfter(20, () => {
      assert.equal(inside, false);
      resolve();
    });
    systemClock.cancelWakeup(never);
    inside = false;
  });
  clearInterval(alive);
  assert.ok(systemClock.now() > start);
  systemClock.cancelWakeup(undefined);
});

test("the clock of the process takes a wake-up back even when its time has come", async () => {
  const alive = setInterval(() => {}, 1000);
  let woken = 0;
  // Each takes the other back: whichever comes first, the other's time has come, too.
  const wakeups = [0, 0].map((ms) =>
    systemClock.wakeAfter(ms, () => {
      woken++;
      for (const wakeup of wakeups) systemClock.cancelWakeup(wakeup);
    }),
  );
  await new Promise<void>((resolve) => {
    systemClock.wakeAfter(20, resolve);
  });
  clearInterval(alive);
  assert.equal(woken, 1);
});
