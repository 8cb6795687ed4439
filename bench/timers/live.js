// 100 000 live timers with deadlines spread over 100 s, of which 1 % a second expire and begin anew, and 1 % a second are
// reset. Prints the CPU milliseconds a second of this process, all threads, as a line of JSON. With the contender
// "driver" there are no timers: what is left is the loop that picks which to reset.
// Usage: node --expose-gc live.js <contender> <seconds>
import process from "node:process";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { randomNumbers } from "../lib/random.js";
import { contenders } from "./contenders.js";

const size = 100_000;
const span = 100_000;
const [name, seconds] = process.argv.slice(2);
const random = randomNumbers(1);
const timers = Array.from({ length: size }, () => undefined);
const subject = name === "driver" ? undefined : contenders[name]();

function begin(i, ms) {
  timers[i] = subject.start(() => begin(i, span), ms);
}

function resetSome() {
  for (let n = 0; n < 10; n++) {
    const i = Math.floor(random() * size);
    subject?.reset(timers, i, span);
  }
}

subject?.drive?.();
const alive = setInterval(() => {}, 60_000);
if (subject !== undefined) {
  // First a rush of short deadlines, so that what is measured is compiled code. It is not counted: timer-wheel loses some.
  for (let i = 0; i < size; i++) timers[i] = subject.start(() => {}, 100 + Math.floor(random() * 300));
  await sleep(3000);
  for (let i = 0; i < size; i++) begin(i, Math.floor(random() * span));
}
clearInterval(alive);
setInterval(resetSome, 10);
globalThis.gc();
// A while after a collection V8 makes another, and gives up compiled code: that is over by then.
await sleep(20_000);

const cpu = process.cpuUsage();
const begun = performance.now();
await sleep(Number(seconds) * 1000);
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ cpu: (user + system) / (performance.now() - begun) }));
process.exit();
