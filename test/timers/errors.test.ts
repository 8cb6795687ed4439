import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { text } from "node:stream/consumers";
import { ManualClock } from "../../src/core/manual-clock.ts";
import { startTimer, startTimerManager } from "../../src/timers/index.ts";
import type { Timer } from "../../src/timers/index.ts";
import { TimerManager } from "../../src/timers/timer-manager.ts";

const timersModule = new URL("../../src/timers/index.js", import.meta.url).href;

test("an action that throws stops no other timer and is reported once, with its timer", () => {
  const clock = new ManualClock();
  const reports: [Error, Timer<unknown>][] = [];
  const manager = startTimerManager({ clock, onError: (error, timer) => reports.push([error, timer]) });
  const mistake = new Error("mistake");
  let fired = 0;
  const throwing: Timer[] = [];
  for (let i = 0; i < 10; i++) {
    startTimer(manager, 100, () => fired++);
    throwing.push(
      startTimer(manager, 100, () => {
        throw mistake;
      }),
    );
  }
  startTimer(manager, 200, () => fired++);
  clock.advance(1000);
  assert.equal(fired, 11);
  assert.equal(reports.length, 10);
  for (const [error, timer] of reports) {
    assert.equal(error, mistake);
    assert.ok(throwing.includes(timer as Timer));
    assert.equal(timer.active, false);
  }
});

test("a timer of which nobody can say whether it goes on fires, is reported, and takes no other with it", () => {
  const clock = new ManualClock();
  const reported: Error[] = [];
  const mistake = new Error("mistake");
  const manager = new TimerManager({ clock, onError: (error) => reported.push(error) }, () => {
    throw mistake;
  });
  let fired = 0;
  for (let i = 0; i < 10; i++) manager.start(100, () => fired++);
  clock.advance(110);
  assert.equal(fired, 10);
  assert.deepEqual(
    reported,
    Array.from({ length: 10 }, () => mistake),
  );
  assert.equal(manager.size, 0);
});

test("an action that rejects is reported in the same way", async () => {
  const clock = new ManualClock();
  const mistake = new Error("mistake");
  let fired = 0;
  const reported = new Promise<Error>((resolve) => {
    const manager = startTimerManager({ clock, onError: resolve });
    startTimer(manager, 100, () => Promise.reject(mistake));
    startTimer(manager, 100, () => fired++);
  });
  clock.advance(100);
  assert.equal(await reported, mistake);
  assert.equal(fired, 1);
});

test("what is thrown reaches onError as an Error, whatever it was", () => {
  const clock = new ManualClock();
  const messages: string[] = [];
  const manager = startTimerManager({ clock, onError: (error) => messages.push(error.message) });
  for (const thrown of ["text", 7, undefined, null]) {
    startTimer(manager, 1, () => {
      throw thrown;
    });
    clock.advance(100);
  }
  assert.deepEqual(messages, [
    'thrown value: "text"',
    "thrown value: 7",
    "thrown value: undefined",
    "thrown value: null",
  ]);
});

/** Runs a script in a process of its own and gives back what it printed as JSON. */
async function run(script: string): Promise<unknown> {
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(await text(child.stdout));
}

const warnings = `
  import { startTimer, startTimerManager } from ${JSON.stringify(timersModule)};
  const seen = [];
  process.on("warning", ({ name, message }) => seen.push([name, message.split("\\n")[0]]));
  process.on("exit", () => console.log(JSON.stringify(seen)));
  const alive = setInterval(() => {}, 1000);
`;

test("without onError a failing action is a process warning, and the process lives on", async () => {
  const seen = await run(`${warnings}
    const timers = startTimerManager();
    startTimer(timers, 1, () => { throw new TypeError("thrown"); });
    startTimer(timers, 20, async () => { throw new Error("rejected"); });
    startTimer(timers, 40, () => setImmediate(() => clearInterval(alive)));
  `);
  assert.deepEqual(seen, [
    ["PortreeveTimerWarning", "TypeError: thrown"],
    ["PortreeveTimerWarning", "Error: rejected"],
  ]);
});

test("an onError that itself fails is a process warning and stops no timer", async () => {
  const seen = await run(`${warnings}
    const throwing = startTimerManager({ onError() { throw new Error("handler threw"); } });
    const rejecting = startTimerManager({ async onError() { throw new Error("handler rejected"); } });
    startTimer(throwing, 1, () => { throw new Error("action"); });
    startTimer(rejecting, 20, () => { throw new Error("action"); });
    startTimer(throwing, 40, () => setImmediate(() => clearInterval(alive)));
  `);
  assert.deepEqual(seen, [
    ["PortreeveTimerWarning", "Error: handler threw"],
    ["PortreeveTimerWarning", "Error: handler rejected"],
  ]);
});
