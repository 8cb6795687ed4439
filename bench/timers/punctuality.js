// How far from its deadline a timer fires on a free loop: 100 000 timers within two seconds. Prints the least and the
// most, in milliseconds, as a line of JSON. Usage: node --expose-gc punctuality.js <contender>
import process from "node:process";
import { performance } from "node:perf_hooks";
import { randomNumbers } from "../lib/random.js";
import { contenders } from "./contenders.js";

const size = 100_000;
const random = randomNumbers(1);
const { start } = contenders[process.argv[2]]();
const alive = setInterval(() => {}, 60_000);
let [earliest, latest, left] = [Infinity, -Infinity, size];

await new Promise((resolve) => {
  for (let i = 0; i < size; i++) {
    const ms = 200 + Math.floor(random() * 2000);
    const deadline = performance.now() + ms;
    start(() => {
      const late = performance.now() - deadline;
      if (late < earliest) earliest = late;
      if (late > latest) latest = late;
      if (--left === 0) resolve();
    }, ms);
  }
});
clearInterval(alive);
console.log(JSON.stringify({ earliest, latest }));
