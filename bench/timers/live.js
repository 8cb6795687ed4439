// 100 000 live timers with deadlines spread over 100 s, of which 1 % a second expire and begin anew, and 1 % a second are
// reset. Prints the CPU milliseconds a second of this process, all threads, of each round as a line of JSON. With the
// contender "driver" there are no timers: what is left is the loop that picks which to reset.
//
// A server with so many timers has run for hours, and what it does with them is compiled code. At this pace that takes
// minutes, in which compiling costs more than the timers. So the same work comes first at fifty times the pace.
// Usage: node --expose-gc live.js <contender> <seconds a round> <rounds>
import process from "node:process";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { randomNumbers } from "../lib/random.js";
import { contenders } from "./contenders.js";

const size = 100_000;
const [name, seconds, rounds] = process.argv.slice(2);
const random = randomNumbers(1);
const timers = Array.from({ length: size }, () => undefined);
const subject = name === "driver" ? undefined : contenders[name]();
let span = 0;
let over = false;

function begin(i, ms) {
  timers[i] = subject?.start(() => {
    if (!over) begin(i, span);
  }, ms);
}

/** Called a hundred times a second. */
function resetSome() {
  for (let n = 0; n < (size * 10) / span; n++) {
    const i = Math.floor(random() * size);
    subject?.reset(timers, i, span);
  }
}

/** From now on every timer lives for `ms`, and as many are reset as expire. Gives back what ends the resets. */
function liveFor(ms) {
  over = false;
  span = ms;
  for (let i = 0; i < size; i++) begin(i, Math.floor(random() * span));
  return setInterval(resetSome, 10);
}

subject?.drive?.();
const warmUp = liveFor(2000);
await sleep(20_000);
clearInterval(warmUp);
over = true;
await sleep(2 * span);

liveFor(100_000);
globalThis.gc();
// A while after a collection V8 makes another, and gives up code: that is over by then.
await sleep(20_000);

const figures = [];
while (figures.length < Number(rounds)) {
  const cpu = process.cpuUsage();
  const begun = performance.now();
  await sleep(Number(seconds) * 1000);
  const { user, system } = process.cpuUsage(cpu);
  figures.push((user + system) / (performance.now() - begun));
}
console.log(JSON.stringify(figures));
process.exit();
