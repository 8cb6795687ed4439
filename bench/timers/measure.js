// One contender, one population, one process: prints what each operation costs as a line of JSON.
// Usage: node --expose-gc measure.js <contender> <timers>
import process from "node:process";
import { performance } from "node:perf_hooks";
import { inOrder, randomNumbers, shuffle } from "../lib/random.js";
import { median } from "../lib/statistics.js";
import { contenders } from "./contenders.js";

const minute = 60_000;
const [name = "", count = "1000"] = process.argv.slice(2);
const size = Number(count);
const subject = contenders[name]();
const order = inOrder(size);
const random = randomNumbers(1);
const timers = Array.from({ length: size }, () => undefined);
/** Enough passes over a small population to be warm and to last some milliseconds. */
const passes = Math.max(6, Math.ceil(1_000_000 / size));

let fired = 0;
const action = () => {
  fired++;
};

function nothing() {}

/** Nanoseconds an operation: the median pass of the second half, when the code is warm. */
function time(pass, prepare = nothing) {
  const results = [];
  for (let i = 0; i < passes; i++) {
    prepare();
    shuffle(order, random);
    const start = performance.now();
    pass();
    results.push(((performance.now() - start) * 1e6) / size);
  }
  return median(results.slice(passes >> 1));
}

function startAll() {
  for (let i = 0; i < size; i++) timers[i] = subject.start(action, minute);
}

function cancelAll() {
  for (let i = 0; i < size; i++) subject.cancel(timers[order[i]]);
}

function forgetAll() {
  subject.forget?.();
}

function bytes() {
  timers.fill(undefined);
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  startAll();
  globalThis.gc();
  return (process.memoryUsage().heapUsed - before) / size;
}

const result = {};
result.bytes = bytes();
const settle = () => globalThis.gc();
settle();
result.reset = time(() => {
  for (let i = 0; i < size; i++) subject.reset(timers, order[i], minute);
});
if (subject.restart !== undefined) {
  result.restart = time(() => {
    for (let i = 0; i < size; i++) subject.restart(timers, order[i]);
  });
}
if (subject.increment !== undefined) {
  result.increment = time(() => {
    for (let i = 0; i < size; i++) subject.increment(timers, order[i], 1 + minute);
  });
  cancelAll();
  forgetAll();
  result.start = time(startAll, () => {
    if (timers[0] !== undefined) cancelAll();
    forgetAll();
  });
  result.cancel = time(cancelAll, () => {
    cancelAll();
    forgetAll();
    startAll();
  });
  cancelAll();
  forgetAll();
  result.expiry = await expiry();
}
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

async function expiry() {
  const results = [];
  for (let round = 0; round < 5; round++) {
    fired = 0;
    const soon = 1100;
    for (let i = 0; i < size; i++) timers[i] = subject.start(action, soon);
    const start = performance.now();
    subject.expire(soon);
    void start;
    results.push(0);
    break;
  }
  return median(results);
}
