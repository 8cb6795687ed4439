import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { ManualClock } from "../../src/core/manual-clock.ts";
import { startTimerManager } from "../../src/timers/index.ts";
import type { Timer } from "../../src/timers/index.ts";
import { skip, survivors } from "../support/survivors.ts";

function nothing(): void {}

test("a timer that has ended and is kept keeps no other timer alive", { skip }, async () => {
  const manager = startTimerManager({ clock: new ManualClock() });
  const refs: WeakRef<object>[] = [];
  const kept: Timer[] = [];
  (function fill() {
    const timers = Array.from({ length: 100 }, () => manager.start(1000, nothing));
    for (const timer of timers) {
      timer.cancel();
      refs.push(new WeakRef(timer));
    }
    kept.push(timers[50] as Timer);
  })();
  assert.equal(await survivors(refs), 1);
  assert.equal(kept[0]?.active, false);
});

test("a manager lets go of its timers when they have fired or been cancelled", { skip }, async () => {
  const clock = new ManualClock();
  const manager = startTimerManager({ clock });
  const refs: WeakRef<object>[] = [];
  (function fill() {
    for (let i = 0; i < 100; i++) {
      const timer = manager.start(i % 2 === 0 ? 100 : Infinity, nothing);
      refs.push(new WeakRef(timer));
      if (i % 2 === 1) timer.cancel();
    }
  })();
  clock.advance(1000);
  assert.equal(await survivors(refs), 0);
  assert.equal(manager.size, 0);
});

/** How often the collector ran during 4 million turns of a loop. At 16 bytes a turn that would be 64 MB: several times. */
function collections(body: string): number {
  const script = `
    import { performance } from "node:perf_hooks";
    import { startTimerManager } from ${JSON.stringify(new URL("../../src/timers/index.js", import.meta.url).href)};
    const manager = startTimerManager();
    const timers = Array.from({ length: 1000 }, () => manager.start(60_000, () => {}));
    let sink = false;
    function loop(rounds) {
      for (let round = 0; round < rounds; round++) for (const timer of timers) ${body};
    }
    for (let i = 0; i < 300; i++) loop(30);
    gc();
    console.log("measure");
    loop(4000);
    console.log("measured", sink);
  `;
  // Compiled when it is hot, and not when a thread of a busy machine gets to it: code that is not compiled yet boxes numbers.
  const flags = ["--expose-gc", "--trace-gc", "--no-concurrent-recompilation", "--input-type=module"];
  const { stdout } = spawnSync(process.execPath, [...flags, "-e", script], { encoding: "utf8" });
  const [, during] = /measure\n([^]*)measured/.exec(stdout) ?? [];
  assert.notEqual(during, undefined, stdout);
  return (during?.match(/Scavenge|Mark/g) ?? []).length;
}

test("moving a deadline allocates nothing", () => {
  assert.ok(collections("timer.increment(1)") <= 1);
});

test("a reset allocates nothing beyond what Node's clock does", () => {
  const clock = collections("sink = performance.now() < 0");
  assert.ok(collections("timer.reset(60_000)") <= clock + 1);
});
