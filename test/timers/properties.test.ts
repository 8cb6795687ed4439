import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Model } from "./model.ts";
import type { Move, Step } from "./model.ts";

/** Near and far, whole and broken, on the edges of ticks, slots and turns. */
const delay: fc.Arbitrary<number> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 200 }) },
  { weight: 4, arbitrary: fc.double({ min: 0, max: 5000, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 10_000_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 10, 2550, 2560, 2570, 655_360, 167_772_160, 2 ** 31, 2 ** 30 * 10) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 2 ** 36, noNaN: true }) },
  { weight: 1, arbitrary: fc.constant(Infinity) },
);
const finiteDelay = delay.filter((ms) => ms !== Infinity);
const delta = fc.tuple(delay, fc.boolean()).map(([ms, back]) => (back && ms !== Infinity ? -ms : ms));
const which = fc.nat({ max: 1000 });

const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ do: fc.constantFrom("reset" as const, "revise" as const), timer: which, ms: delay }),
  fc.record({ do: fc.constant("increment" as const), timer: which, ms: delta }),
  fc.record({ do: fc.constant("cancel" as const), timer: which }),
);
const plainStart = fc.record({ do: fc.constant("start" as const), ms: delay, next: fc.constant([]) });
const start: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("start" as const),
  ms: delay,
  next: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.oneof(move, plainStart), { maxLength: 4 }) },
  ),
});
const advance: fc.Arbitrary<Step> = fc.record({ do: fc.constant("advance" as const), ms: finiteDelay });
const history = fc.array(fc.oneof({ weight: 3, arbitrary: start }, { weight: 4, arbitrary: move }, advance), {
  maxLength: 120,
  size: "max",
});
const resolution = fc.oneof(fc.constant(10), fc.constantFrom(1, 3.3, 16, 1000));
const startsAt = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e9, noNaN: true }));

const promise =
  "whatever is started, moved, cancelled and waited for, a timer fires once, never early, never after cancel, late by at most the resolution";

test(promise, () => {
  fc.assert(
    fc.property(history, resolution, startsAt, (steps, resolution, startsAt) => {
      new Model(resolution, startsAt).run(steps);
    }),
    { numRuns: 600 },
  );
});

test("every timer with a finite deadline fires in the end", () => {
  fc.assert(
    fc.property(history, resolution, startsAt, (steps, resolution, startsAt) => {
      const model = new Model(resolution, startsAt);
      model.run(steps);
      // Deadlines may be moved far by increments: a century is beyond them all.
      for (let year = 0; year < 100 && model.clock.pending > 0; year++) model.clock.advance("365d");
      model.check();
      assert.equal(model.clock.pending, 0);
    }),
    { numRuns: 100 },
  );
});

test("the same holds for a crowd: 20 000 timers that move and are cancelled at random", () => {
  const crowd = fc.infiniteStream(fc.record({ ms: finiteDelay, step: move }));
  fc.assert(
    fc.property(crowd, (stream) => {
      const model = new Model(10, 0.123);
      const steps: Step[] = [];
      for (const { ms, step } of stream) {
        steps.push({ do: "start", ms: ms % 60_000, next: [] });
        if (step.do !== "cancel" || steps.length % 3 === 0) steps.push({ ...step, timer: steps.length * 7 });
        if (steps.length >= 40_000) break;
      }
      model.runAll(steps);
      for (let second = 0; second < 60; second++) {
        model.run([{ do: "advance", ms: 1000 }]);
      }
    }),
    { numRuns: 3 },
  );
});
