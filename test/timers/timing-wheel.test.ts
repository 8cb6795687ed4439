import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { TimingWheel, ended } from "../../src/timers/timing-wheel.ts";
import type { WheelEntry } from "../../src/timers/timing-wheel.ts";

function entryAt(at: number): WheelEntry {
  return { at, due: ended, previous: null, next: null };
}

/** The largest number below `x`. */
function justBelow(x: number): number {
  const below = x * (1 - Number.EPSILON / 2);
  return below < x ? below : x * (1 - Number.EPSILON);
}

const edge = fc.record({
  origin: fc.double({ min: 0, max: 1000, noNaN: true }),
  resolution: fc.constantFrom(1, 3.3, 10, 16),
  tick: fc.integer({ min: 1, max: 1000 }),
});

test("where rounding puts a time on the wrong side of a tick, nothing is early, late, lost or looked for in vain", () => {
  fc.assert(
    fc.property(edge, ({ origin, resolution, tick }) => {
      const wheel = new TimingWheel(resolution, origin);
      const entry = entryAt(origin + tick * resolution);
      const { at } = entry;
      wheel.add(entry, origin);
      let now = justBelow(at);
      wheel.advance(now, () => assert.fail("early"));
      let fired = 0;
      for (let turn = 0; fired === 0; turn++) {
        const next = wheel.nextTime();
        assert.ok(next > now && turn < 3, "each wake-up gets further");
        now = next;
        wheel.advance(now, () => void fired++);
      }
      assert.ok(now >= at && now <= at + resolution + 1e-6, `fired at ${now} for ${at}`);
      assert.equal(wheel.nextTime(), Infinity);
    }),
    { numRuns: 5000 },
  );
});

test("an entry can be taken out at any time, on the edge of a tick as well", () => {
  fc.assert(
    fc.property(edge, ({ origin, resolution, tick }) => {
      const wheel = new TimingWheel(resolution, origin);
      const entry = entryAt(origin + tick * resolution);
      wheel.add(entry, origin);
      wheel.advance(justBelow(entry.at), () => assert.fail("early"));
      wheel.remove(entry);
      assert.equal(wheel.size, 0);
      assert.equal(wheel.nextTime(), Infinity);
    }),
    { numRuns: 5000 },
  );
});

test("what is due within one turn of the lowest level is filed once and taken out once", () => {
  const wheel = new TimingWheel(10, 0);
  for (let at = 5; at < 2550; at += 10) wheel.add(entryAt(at), 0);
  let fired = 0;
  for (let now = 10; now < 2560; now += 10) wheel.advance(now, () => void fired++);
  assert.equal(fired, 255);
  assert.equal(wheel.work.entries, 2 * fired);
});
