// The bytes by which the heap grows for each timer, as a line of JSON. Small populations are measured many at once, each
// with a manager or wheel of its own, because other things in the heap come and go.
// Usage: node --expose-gc memory.js <contender> <timers>
import process from "node:process";
import { contenders } from "./contenders.js";

const [name, count] = process.argv.slice(2);
const size = Number(count);
const total = Math.max(size, 100_000);

function action() {}

/** Until nothing more goes: what one collection promotes may be garbage to the next. */
function heap() {
  for (let i = 0; i < 4; i++) globalThis.gc();
  return process.memoryUsage().heapUsed;
}

const timers = Array.from({ length: total }, () => undefined);

function fill() {
  for (let i = 0; i < total; i++) {
    if (i % size === 0) subject = contenders[name]();
    timers[i] = subject.start(action, 60_000);
  }
}

let subject;
// Code that has run is compiled, and weighs nothing in the count.
fill();
timers.fill(undefined);
const before = heap();
fill();
console.log(JSON.stringify({ bytes: (heap() - before) / total }));
process.exit();
