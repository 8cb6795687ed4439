// Interleaved runs: every contender once, each in a process of its own, then every contender again. A machine that is
// slow for a while is slow for all of them, and a ratio is taken within a round before the median over the rounds.
import { spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { text } from "node:stream/consumers";
import { median } from "./statistics.js";

/** For scripts that rest between their measurements, or collect garbage before them. */
const steady = ["--expose-gc", "--no-flush-bytecode"];

/** Runs a script that prints one line of JSON, and gives that back. */
export async function measure(script, args, flags = steady, env = {}) {
  const child = spawn(process.execPath, [...flags, script, ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const ended = new Promise((resolve) => {
    child.once("close", resolve);
  });
  const printed = await text(child.stdout);
  const code = await ended;
  if (code !== 0) throw new Error(`${script} ${args.join(" ")} ended with code ${code}`);
  return JSON.parse(printed);
}

/**
 * The results of each contender, by its name, one a round. After the first round, another begins only if all rounds will
 * have taken no longer than `seconds`.
 */
export async function interleave(contenders, rounds, run, seconds = Infinity) {
  const results = new Map(contenders.map((name) => [name, []]));
  const begun = performance.now();
  for (let round = 0; round < rounds; round++) {
    const elapsed = performance.now() - begun;
    if (round > 0 && (elapsed / round) * (round + 1) > seconds * 1000) break;
    for (const name of contenders) results.get(name).push(await run(name, round));
  }
  return results;
}

/** The median over the rounds of what `pick` takes from a contender's results. */
export function middle(results, name, pick) {
  return median(results.get(name).map(pick));
}

/** The median over the rounds of one contender's figure divided by another's of the same round. */
export function ratio(results, name, pick, other, pickOther = pick) {
  const others = results.get(other).map(pickOther);
  return median(results.get(name).map((result, round) => pick(result) / others[round]));
}
