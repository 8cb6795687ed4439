import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { descriptorLimit, fitCapacity } from "../../src/admission/descriptors.ts";

const wanted = fc.record({
  maxConcurrent: fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.constant(Infinity)),
  maxWaiting: fc.integer({ min: 0, max: 5000 }),
});
const limit = fc.oneof(fc.integer({ min: 8, max: 200_000 }), fc.constant(Infinity));

test("what fits under the descriptor limit is never more than was wanted, and always serves at least one", () => {
  fc.assert(
    fc.property(wanted, limit, (capacity, descriptors) => {
      const fit = fitCapacity(capacity, descriptors);
      assert.ok(fit.maxConcurrent >= 1);
      assert.ok(fit.maxWaiting >= 0);
      assert.ok(fit.maxConcurrent <= capacity.maxConcurrent);
      assert.ok(fit.maxWaiting <= capacity.maxWaiting);
    }),
  );
});

test("together they stay a reserve below the descriptor limit, or below half of it where so few are allowed", () => {
  fc.assert(
    fc.property(wanted, limit, (capacity, descriptors) => {
      const fit = fitCapacity(capacity, descriptors);
      assert.ok(fit.maxConcurrent + fit.maxWaiting <= Math.max(descriptors - 64, descriptors / 2));
    }),
  );
});

test("what fits already stays as it is", () => {
  fc.assert(
    fc.property(wanted, (capacity) => {
      const enough = capacity.maxConcurrent + capacity.maxWaiting + 64;
      for (const limit of [enough, Infinity]) {
        const { maxConcurrent, maxWaiting } = fitCapacity(capacity, limit);
        assert.deepEqual([maxConcurrent, maxWaiting], [capacity.maxConcurrent, capacity.maxWaiting]);
      }
    }),
  );
});

test("refused clients that take their time have at least one descriptor, and with all others stay below the limit", () => {
  fc.assert(
    fc.property(wanted, limit, (capacity, descriptors) => {
      const fit = fitCapacity(capacity, descriptors);
      assert.ok(fit.maxRefused >= 1 && fit.maxRefused <= 1024);
      assert.ok(fit.maxConcurrent + fit.maxWaiting + fit.maxRefused <= descriptors);
    }),
  );
});

test("a higher descriptor limit never allows less", () => {
  fc.assert(
    fc.property(wanted, limit, fc.integer({ min: 0, max: 1000 }), (capacity, descriptors, more) => {
      assert.ok(
        fitCapacity(capacity, descriptors + more).maxConcurrent >= fitCapacity(capacity, descriptors).maxConcurrent,
      );
    }),
  );
});

test("the descriptor limit of this process is known", { skip: process.platform !== "linux" && "needs /proc" }, () => {
  assert.ok(descriptorLimit() >= 64);
});
