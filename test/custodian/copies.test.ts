import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import * as here from "../../src/custodian/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import * as hereTimers from "../../src/timers/index.ts";
import { compiledRoot, compiledSource } from "../support/paths.ts";

/** The same library a second time, as where two packages bring one each. */
const folder = mkdtempSync(join(compiledRoot, "copy-"));
after(() => rmSync(folder, { recursive: true }));
for (const part of ["core", "timers", "custodian"])
  cpSync(join(compiledSource, part), join(folder, part), { recursive: true });
const there = (await import(pathToFileURL(join(folder, "custodian/index.js")).href)) as typeof here;
const thereTimers = (await import(pathToFileURL(join(folder, "timers/index.js")).href)) as typeof hereTimers;

test("custodians of two copies of the package know each other, and end together", async () => {
  assert.notEqual(there.makeCustodian, here.makeCustodian);
  for (const [above, below] of [
    [here, there],
    [there, here],
  ] as const) {
    const errors: Error[] = [];
    const parent = above.makeCustodian(null, { onError: (error) => errors.push(error) });
    assert.equal(below.isCustodian(parent), true);
    const child = below.makeCustodian(parent);
    const reasons: unknown[] = [];
    child.defer(async (reason) => {
      reasons.push(reason);
      await Promise.resolve();
      throw new Error("failed");
    });
    assert.deepEqual(parent.children(), [child]);
    const report = await parent.shutdownAll("the reason");
    assert.deepEqual(reasons, ["the reason"]);
    assert.deepEqual(report.errors, errors);
    assert.equal(errors.length, 1);
    assert.equal(child.isShutDown, true);
  }
});

test("a custodian of another copy is given, given up and handed on as one of the same copy", async () => {
  for (const [above, below] of [
    [here, there],
    [there, here],
  ] as const) {
    const parent = above.makeCustodian(null);
    const child = below.makeCustodian(null);
    assert.equal(parent.use(child), child);
    assert.equal(child.parent, parent);
    assert.equal(parent.release(child), true);
    assert.equal(child.parent, null);
    assert.equal(parent.release(child), false);
    assert.equal(child.isShutDown, false);

    parent.use(child);
    const other = above.makeCustodian(null);
    parent.moveTo(other);
    assert.deepEqual([parent.children(), other.children()], [[], [child]]);
    const reasons: unknown[] = [];
    child.defer((reason) => reasons.push(reason));
    await other.shutdownAll("the reason");
    assert.deepEqual(reasons, ["the reason"]);

    const late = below.makeCustodian(null);
    assert.throws(() => other.use(late), { code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN" });
    assert.equal(late.isShutDown, true);

    const top = above.makeCustodian(null);
    const bottom = below.makeCustodian(top);
    assert.throws(() => bottom.use(top), { code: "ERR_PORTREEVE_ARGUMENT_TYPE" });
  }
});

test("the current custodian is the same for every copy", async () => {
  for (const [one, other] of [
    [here, there],
    [there, here],
  ] as const) {
    const custodian = one.makeCustodian(null);
    await custodian.run(async () => {
      await Promise.resolve();
      assert.equal(other.currentCustodian(), custodian);
      assert.equal(other.makeCustodian().parent, custodian);
    });
    assert.throws(() => other.currentCustodian(), { code: "ERR_PORTREEVE_NO_CURRENT_CUSTODIAN" });
  }
});

test("timers and boxes of another copy are known", async () => {
  const clock = new ManualClock();
  const manager = thereTimers.startTimerManager({ clock });
  const timer = hereTimers.startTimer(manager, "1s", () => assert.fail("it was cancelled"));
  assert.deepEqual([hereTimers.isTimerManager(manager), hereTimers.isTimer(timer)], [true, true]);
  hereTimers.resetTimer(timer, "5s");
  assert.equal(timer.deadline, 5000);
  const custodian = here.makeCustodian(null);
  custodian.use(timer);
  const box = there.makeCustodianBox(custodian, "content");
  assert.equal(here.custodianBoxValue(box), "content");
  await custodian.shutdownAll();
  assert.equal(here.custodianBoxValue(box), null);
  assert.equal(timer.active, false);
  clock.advance(10_000);
});
