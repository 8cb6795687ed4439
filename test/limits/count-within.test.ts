import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CountWithin } from "../../src/limits/count-within.ts";

test("what brings a number over its limit is told, and nothing else, however much comes and whenever", () => {
  const step = fc.record({ after: fc.nat(15), count: fc.nat(4) });
  fc.assert(
    fc.property(fc.array(step), fc.nat(8), fc.nat(20), (steps, most, per) => {
      const counted = new CountWithin({ count: most, per });
      const all: { at: number; count: number }[] = [];
      let now = 0;
      const within = (): number => all.reduce((sum, { at, count }) => (now - at < per ? sum + count : sum), 0);
      for (const { after, count } of steps) {
        now += after;
        const wasOver = within() > most;
        all.push({ at: now, count });
        assert.equal(counted.add(count, now), wasOver || within() <= most);
      }
    }),
  );
});
