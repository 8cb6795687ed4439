import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../src/core/manual-clock.ts";
import { startTimerManager } from "../../src/timers/index.ts";
import type { Timer, TimerManager } from "../../src/timers/index.ts";

const sizes = [1e3, 1e4, 1e5, 1e6];
const hour = 3_600_000;

function nothing(): void {}

/** Entries and slots touched while `run` runs. */
function touched(manager: TimerManager, run: () => void): { entries: number; slots: number } {
  const { entries, slots } = manager.work;
  run();
  return { entries: manager.work.entries - entries, slots: manager.work.slots - slots };
}

/** Deadlines over one hour, an hour from now. */
function crowd(size: number): { clock: ManualClock; manager: TimerManager; timers: Timer[] } {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  const timers = Array.from({ length: size }, (_, i) => manager.start(hour + (i * hour) / size, nothing));
  return { clock, manager, timers };
}

for (const size of sizes) {
  test(`among ${size} timers each verb touches at most two entries and no slot, and a later reset touches none`, () => {
    const { manager, timers } = crowd(size);
    const picked = Array.from({ length: 100 }, (_, i) => timers[Math.floor((i * size) / 100)] as Timer);
    const perVerb = (run: (timer: Timer) => unknown) => {
      const { entries, slots } = touched(manager, () => picked.forEach(run));
      return { entries: entries / picked.length, slots };
    };
    assert.deepEqual(
      perVerb(() => manager.start(hour, nothing)),
      { entries: 1, slots: 0 },
    );
    assert.deepEqual(
      perVerb((timer) => timer.reset(3 * hour)),
      { entries: 0, slots: 0 },
    );
    assert.deepEqual(
      perVerb((timer) => timer.increment(hour)),
      { entries: 0, slots: 0 },
    );
    assert.deepEqual(
      perVerb((timer) => timer.reset(100)),
      { entries: 2, slots: 0 },
    );
    assert.deepEqual(
      perVerb((timer) => timer.cancel()),
      { entries: 1, slots: 0 },
    );
  });

  test(`among ${size} timers a tick with nothing due touches one entry and two slots at most`, () => {
    const { clock, manager } = crowd(size);
    for (let tick = 0; tick < 100; tick++) {
      // Its wake-up stays behind and comes for nothing.
      const { entries, slots } = touched(manager, () => {
        const early = manager.start(10, nothing);
        early.reset(hour);
        clock.advance(10);
        early.cancel();
      });
      assert.ok(entries <= 4 && slots <= 2, `${entries} entries, ${slots} slots`);
    }
    const idle = touched(manager, () => clock.advance(60_000));
    assert.ok(idle.entries + idle.slots <= 2, "no wake-up comes where no timer is due");
  });

  test(`from start to firing each of ${size} timers is touched at most twice a level`, () => {
    const { clock, manager } = crowd(size);
    clock.advance(2 * hour + 10);
    assert.equal(manager.size, 0);
    const { entries, slots } = manager.work;
    assert.ok(entries <= size * 8, `${entries / size} entries a timer`);
    assert.ok(slots <= size * 4 + 2, `${slots} slots`);
  });
}

test("10 000 timers that are reset every second for ten minutes are filed again less than once in 20 resets", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  const timers = Array.from({ length: 10_000 }, () => manager.start(60_000, nothing));
  const { entries } = touched(manager, () => {
    for (let second = 0; second < 600; second++) {
      clock.advance(1000);
      for (const timer of timers) timer.reset(60_000);
    }
  });
  assert.equal(manager.size, 10_000);
  assert.ok(entries / (600 * timers.length) < 2 / 20, `${entries / (600 * timers.length)} entries a reset`);
});

test("one wake-up waits for all timers, and none when no timer waits for a time", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  assert.equal(clock.pending, 0);
  const timers = Array.from({ length: 1000 }, (_, i) => manager.start(((i * 7919) % 1000) * 100, nothing));
  assert.equal(clock.pending, 1);
  clock.advance(100_000);
  assert.equal(clock.pending, 0);
  manager.start(Infinity, nothing);
  assert.equal(clock.pending, 0);
  assert.equal(
    timers.some((timer) => timer.active),
    false,
  );
});

test("the wake-up of a timer that was cancelled comes once, finds nothing and asks for no other", () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  for (let i = 0; i < 100; i++) manager.start(1000 + i, nothing).cancel();
  assert.ok(clock.pending <= 1);
  const { entries, slots } = touched(manager, () => clock.advance(2000));
  assert.ok(entries + slots <= 2);
  assert.equal(clock.pending, 0);
});
