import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";
import { test } from "node:test";

const timersModule = new URL("../../src/timers/index.js", import.meta.url).href;

/** Runs a script in a process of its own until it ends by itself. */
async function run(script: string): Promise<{ code: number; printed: string }> {
  const source = `import { startTimer, startTimerManager } from ${JSON.stringify(timersModule)};\n${script}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, "exit") as Promise<[number]>]);
  return { code, printed };
}

test("a process in which only timers wait ends at once", async () => {
  const { code, printed } = await run(`
    const timers = startTimerManager();
    for (const ms of [60_000, "1h", "300d", Infinity]) startTimer(timers, ms, () => console.log("fired"));
    process.on("exit", () => console.log(process.uptime() < 30 ? "at once" : "late"));
  `);
  assert.deepEqual({ code, printed }, { code: 0, printed: "at once\n" });
});

test("timers that restart themselves at once keep no process alive", async () => {
  const { code } = await run(`
    const timers = startTimerManager();
    const again = () => startTimer(timers, 0, again);
    again();
  `);
  assert.equal(code, 0);
});

test("while something else keeps the process alive, timers fire", async () => {
  const { printed } = await run(`
    const timers = startTimerManager();
    const server = (await import("node:net")).createServer().listen(0, "127.0.0.1");
    startTimer(timers, 30, () => { console.log("fired"); server.close(); });
  `);
  assert.equal(printed, "fired\n");
});

test("a manager that was disposed of leaves nothing in the loop", async () => {
  const { printed } = await run(`
    const timers = startTimerManager();
    startTimer(timers, 20, () => console.log("fired"));
    startTimer(timers, 0, () => console.log("fired"));
    timers[Symbol.dispose]();
    setTimeout(() => console.log(process.getActiveResourcesInfo().join()), 50);
  `);
  assert.doesNotMatch(printed, /fired/);
});
