/**
 * Trees so deep that a call within a call for each custodian would be too many.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { custodianLimitMemory } from "../../src/custodian/index.ts";
import type { Custodian } from "../../src/custodian/index.ts";
import { begin } from "./support.ts";

const depth = 20_000;

/** A child of a child of a child, and so on: each has a closer, and what it owns is older than its child. */
function dig(top: Custodian, closer: (level: number) => unknown): Custodian {
  let custodian = top;
  for (let level = 0; level < depth; level++) {
    custodian = custodian.child();
    custodian.defer(() => closer(level));
  }
  return custodian;
}

function times(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

test("a very deep tree is shut down whole, before the call returns, from the bottom up", async () => {
  const { custodian } = begin();
  const told: number[] = [];
  const deepest = dig(custodian, (level) => told.push(level));
  const report = custodian.shutdownAll();
  assert.equal(deepest.isShutDown, true);
  assert.deepEqual(told.toReversed(), times(depth));
  assert.deepEqual((await report).errors, []);
});

test("closers of a very deep tree that take their time are all waited for", async () => {
  const { custodian } = begin();
  const settle: (() => void)[] = [];
  dig(custodian, () => new Promise<void>((resolve) => settle.push(resolve)));
  const report = custodian.shutdownAll();
  assert.equal(settle.length, depth);
  for (const resolve of settle) resolve();
  assert.deepEqual((await report).errors, []);
});

test("the deepest closer may be the last that all others wait for, and its error reaches the top", async () => {
  const { custodian, errors } = begin();
  let fail: (error: Error) => void = () => {};
  dig(custodian, (level) => {
    return level === depth - 1 ? new Promise((_, reject) => (fail = reject)) : undefined;
  });
  const report = custodian.shutdownAll();
  fail(new Error("the deepest"));
  const { errors: gathered } = await report;
  assert.deepEqual(
    gathered.map(({ message }) => message),
    ["the deepest"],
  );
  assert.deepEqual(errors, gathered);
});

test("closers of a very deep tree that never settle are given up at the finalizer timeout, in the order in which they were told", async () => {
  const { custodian, clock } = begin();
  const deepest = dig(custodian, (level) => (level % 1000 === 999 ? new Promise(() => {}) : undefined));
  deepest.adopt("the last", () => new Promise(() => {}));
  const report = custodian.shutdownAll();
  clock.advance(5000);
  const { errors } = await report;
  assert.equal(errors.length, depth / 1000 + 1);
  assert.match(errors[0]?.message ?? "", /the adopted value/);
});

test("what is charged at the bottom of a very deep tree counts at the top", () => {
  const { custodian } = begin();
  const deepest = dig(custodian, () => {});
  custodianLimitMemory(custodian, 1000);
  deepest.charge(1000);
  assert.equal(custodian.isShutDown, false);
  deepest.charge(1);
  assert.equal(custodian.isShutDown, true);
});
