/**
 * The bound of a shutdown: what a closer that never settles, or settles late, costs the others.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../src/core/manual-clock.ts";
import { Finalizers } from "../../src/custodian/finalizers.ts";
import type { Bounded } from "../../src/custodian/finalizers.ts";
import { makeCustodian } from "../../src/custodian/index.ts";
import { startTimerManager } from "../../src/timers/index.ts";
import { begin, isSettled, turn } from "./support.ts";

const never = () => new Promise<void>(() => {});

test("a closer that never settles holds the shutdown up to the finalizer timeout, and no longer", async () => {
  const { custodian, clock, errors } = begin();
  custodian.adopt("value", never);
  custodian.child().defer(never);
  const shutdown = custodian.shutdownAll();
  clock.advance(4999);
  assert.equal(await isSettled(shutdown), false);
  clock.advance(1);
  const report = await shutdown;
  assert.deepEqual(
    report.errors.map(({ message }) => message),
    [
      "the deferred function did not finish closing within 5000 ms",
      "the adopted value did not finish closing within 5000 ms",
    ],
  );
  assert.deepEqual(errors, report.errors);
});

test("each of many shutdowns has the whole finalizer timeout, and one resolution more at most", async () => {
  const { clock } = begin();
  const ended = new Map<number, number>();
  for (let start = 0; start < 100; start++) {
    const custodian = makeCustodian(null, { clock, onError: () => {}, finalizerTimeout: "1s" });
    custodian.defer(never);
    void custodian.shutdownAll();
    clock.advance(3);
  }
  const parent = makeCustodian(null, { clock, onError: () => {}, finalizerTimeout: "1s" });
  const begun = clock.now();
  for (let start = 0; start < 100; start++) {
    const custodian = parent.child();
    custodian.defer(never);
    void custodian.shutdownAll().then(() => ended.set(start, clock.now()));
    clock.advance(3);
  }
  for (let ms = 0; ms < 1100; ms++) {
    clock.advance(1);
    await Promise.resolve();
  }
  await turn();
  for (let start = 0; start < 100; start++) {
    const waited = (ended.get(start) ?? Infinity) - (begun + 3 * start);
    assert.ok(waited >= 1000 && waited <= 1021, `the one begun at ${3 * start} ended after ${waited} ms`);
  }
});

test("a closer that settles or fails after the finalizer timeout changes nothing any more", async () => {
  const { custodian, clock, errors } = begin();
  const fail: ((error: Error) => void)[] = [];
  custodian.defer(() => new Promise((_resolve, reject) => fail.push(reject)));
  const shutdown = custodian.shutdownAll();
  clock.advance(5000);
  const report = await shutdown;
  fail[0]?.(new Error("too late"));
  await turn();
  assert.equal(report.errors.length, 1);
  assert.equal(errors.length, 1);
});

test("a child that is closing already is waited for, to its own finalizer timeout at most", async () => {
  const { custodian, clock } = begin();
  const child = custodian.child();
  child.defer(never);
  void child.shutdownAll("child first");
  clock.advance(4000);
  const shutdown = custodian.shutdownAll("then the parent");
  clock.advance(1000);
  const { errors } = await shutdown;
  assert.equal(errors.length, 1);
  assert.equal(child.parent, null);
});

test("a child with less patience than its parent keeps to its own finalizer timeout", async () => {
  const { custodian, clock } = begin();
  const child = makeCustodian(custodian, { finalizerTimeout: "1s" });
  child.defer(never);
  const shutdown = custodian.shutdownAll();
  clock.advance(1000);
  const { errors } = await shutdown;
  assert.equal(errors.length, 1);
});

test("a child with more patience than its parent ends with it", async () => {
  const { custodian, clock } = begin();
  const child = makeCustodian(custodian, { finalizerTimeout: "1h" });
  child.defer(never);
  const shutdown = custodian.shutdownAll();
  clock.advance(5000);
  const { errors } = await shutdown;
  assert.equal(errors.length, 1);
  assert.equal(clock.now(), 5000);
});

test("a finalizer timeout of 0 gives closers one turn", async () => {
  const clock = begin().clock;
  const custodian = makeCustodian(null, { clock, finalizerTimeout: 0, onError: () => {} });
  custodian.defer(never);
  const shutdown = custodian.shutdownAll();
  clock.advance(10);
  assert.equal((await shutdown).errors.length, 1);
});

test("a program that awaits disposal of a custodian whose closer awaits it too is let go at the finalizer timeout", async () => {
  const { custodian, clock } = begin();
  custodian.defer(() => custodian.shutdownAll());
  const shutdown = custodian.shutdownAll();
  clock.advance(5000);
  assert.equal((await shutdown).errors.length, 1);
});

test("what comes after a shutdown leaves no timer behind when it has ended, and has a finalizer timeout of its own", async () => {
  const { custodian, clock, errors } = begin();
  await custodian.shutdownAll();
  const late = (closer: () => unknown): void => {
    assert.throws(() => custodian.defer(closer), { code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN" });
  };
  for (let i = 0; i < 100; i++) late(() => Promise.resolve());
  await turn();
  assert.ok(custodian.environment.timers.size <= 1, `${custodian.environment.timers.size} timers`);
  clock.advance(4900);
  late(never);
  clock.advance(4999);
  assert.deepEqual(errors, []);
  clock.advance(20);
  assert.deepEqual(
    errors.map(({ message }) => message),
    ["the deferred function did not finish closing within 5000 ms"],
  );
});

test("when nobody is waited for any more no timer is left, however long the finalizer timeout", () => {
  const clock = new ManualClock();
  const timers = startTimerManager({ clock });
  const finalizers = new Finalizers(timers, 3_600_000);
  const one = (): Bounded => ({ deadline: null, earlier: null, later: null, expire: () => assert.fail("it ended") });
  const bounded = [one(), one()] as const;
  for (const each of bounded) finalizers.add(each);
  clock.advance(20);
  assert.equal(timers.size, 1);
  finalizers.remove(bounded[0]);
  assert.equal(timers.size, 1);
  finalizers.remove(bounded[1]);
  assert.equal(timers.size, 0);
});

test("any number of closers below may be given up at once", async () => {
  const { custodian, clock } = begin();
  const child = custodian.child();
  const count = 200_000;
  for (let i = 0; i < count; i++) child.defer(never);
  const report = custodian.shutdownAll();
  clock.advance(5000);
  assert.equal((await report).errors.length, count);
});

test("what comes to a child while its closers are given up does not hold the shutdown up", async () => {
  const clock = new ManualClock();
  let late = 0;
  const custodian = makeCustodian(null, {
    clock,
    onError: () => {
      if (++late > 1000) return;
      assert.throws(() => child.defer(never), /shut down/);
    },
  });
  const child = custodian.child();
  child.defer(never);
  const report = custodian.shutdownAll();
  clock.advance(5000);
  assert.equal((await report).errors.length, 1);
  assert.equal(late, 1);
});
