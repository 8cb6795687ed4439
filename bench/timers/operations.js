// One contender and one population in this process. Prints, as a line of JSON, the nanoseconds that each operation costs.
// Usage: node --expose-gc operations.js <contender> <timers>
import process from "node:process";
import { performance } from "node:perf_hooks";
import { indexes, randomNumbers, shuffle } from "../lib/random.js";
import { median } from "../lib/statistics.js";
import { contenders } from "./contenders.js";

const minute = 60_000;
/** How many delays the timers that expire have, in milliseconds: the clients of a server came at different times. */
const window = 200;
const [name, count] = process.argv.slice(2);
const size = Number(count);
const timers = Array.from({ length: size }, () => undefined);
const order = indexes(size);
const random = randomNumbers(1);
const { start, reset, refresh, increment, cancel, pass, expire, forget } = contenders[name]();

function action() {}

function startAll() {
  for (let i = 0; i < size; i++) timers[i] = start(action, minute);
}

function cancelAll() {
  for (let i = 0; i < size; i++) cancel(timers[order[i]]);
}

/**
 * Nanoseconds an operation: the median pass over the population, each in another random order (in the same order twice,
 * the neighbours in a linked list would be those in the cache). The first half of the passes warms up, or of two the
 * first: a pass over a million timers is long enough to be compiled in it.
 */
function time(operate, prepare) {
  const results = [];
  const passes = size >= 1e6 ? 4 : size >= 1e5 ? 12 : Math.max(12, 800_000 / size);
  for (let i = 0; i < passes; i++) {
    prepare?.();
    shuffle(order, random);
    const begun = performance.now();
    operate();
    results.push(((performance.now() - begun) * 1e6) / size);
  }
  return median(results.slice(passes >> 1));
}

/**
 * Nanoseconds a timer when all are due at once: from the turn in which they are, to the last action. `delay` gives each
 * timer's delay, `longest` is the largest of them. The median of the second half of the repeats; until then the code is
 * being compiled.
 */
async function expiry(delay, longest, repeats) {
  const results = [];
  let [left, begun] = [0, 0];
  let done;
  const last = () => {
    if (--left > 0) return;
    results.push(((performance.now() - begun) * 1e6) / size);
    done();
  };
  for (let repeat = 0; repeat < repeats; repeat++) {
    forget?.();
    left = size;
    const all = new Promise((resolve) => {
      done = resolve;
    });
    for (let i = 0; i < size; i++) timers[i] = start(last, delay());
    globalThis.gc();
    // Longer than that: ours fire at the next tick of 10 ms, and that is lateness, not cost.
    pass(longest + 20);
    begun = performance.now();
    expire?.(longest);
    await all;
  }
  return median(results.slice(repeats >> 1));
}

function clearPopulation() {
  if (timers[0] !== undefined) cancelAll();
  forget?.();
  timers.fill(undefined);
}

startAll();
globalThis.gc();

const result = {};
result.reset = time(() => {
  for (let i = 0; i < size; i++) reset(timers, order[i], minute);
});
if (refresh !== undefined) {
  result.refresh = time(() => {
    for (let i = 0; i < size; i++) refresh(timers, order[i]);
  });
}
if (cancel !== undefined) {
  result.increment = time(() => {
    for (let i = 0; i < size; i++) increment(timers, order[i], minute + 1);
  });
  result.start = time(startAll, clearPopulation);
  result.cancel = time(cancelAll, () => {
    clearPopulation();
    startAll();
  });
  clearPopulation();
  // On the loop from here on: something must keep the process alive where timers do not.
  setInterval(action, minute);
  result["expiry, one delay"] = await expiry(() => 20, 20, size < 1e5 ? 12 : size < 1e6 ? 6 : 1);
  result.expiry = await expiry(() => 1 + Math.floor(random() * window), window, size < 1e6 ? 4 : 1);
}
console.log(JSON.stringify(result));
process.exit();
