// Timers: Portreeve's beside Node's, undici's and timer-wheel's.
//
// Method. Every contender runs in a process of its own, one after the other, up to five times round while a population's
// share of the time lasts; figures are medians over the rounds, and ratios are taken within a round first. Contenders that no
// goal is about take part in rounds of their own, and not at a million. An operation is timed over whole passes of a
// population of 1 000 to 1 000 000 timers, in another random order each time, because a server hears from its clients in
// random order, and from 100 000 timers on the cache misses cost more than the work. "floor" is a clock read and a field
// write on records like ours. "portreeve again" is the same code a second time: how far it is from "portreeve" (A/A) is what
// differences mean nothing.
//
// All delays are one minute, the best case of setTimeout, which keeps a list per delay; only the timers that expire have
// 200 delays at random, and once more a single one. The contenders of the CPU row run side by side, because each is idle
// nearly all the time, for five rounds of a minute. The full run takes up to twelve minutes, --quick two.
import { fileURLToPath } from "node:url";
import { Report, flags } from "./lib/report.js";
import { interleave, measure, middle, ratio } from "./lib/rounds.js";

const { json, quick } = flags();
const report = new Report("timers", { json });
const script = (name) => fileURLToPath(new URL(`timers/${name}.js`, import.meta.url));
const rounds = quick ? 1 : 5;
const ours = "portreeve";
const again = "portreeve again";
const names = ["floor", ours, again, "setTimeout"];
const rivals = ["undici", "timer-wheel"];

/** For the rounds of one population. */
const seconds = 45;
const sizes = quick ? [1e3, 1e5] : [1e3, 1e4, 1e5, 1e6];
const bySize = [];
for (const size of sizes) {
  const operations = (name) => measure(script("operations"), [name, size]);
  const results = await interleave(names, rounds, operations, seconds);
  if (size <= (quick ? 1e3 : 1e5)) {
    for (const [name, runs] of await interleave(rivals, rounds, operations, seconds / 3)) results.set(name, runs);
  }
  // The same in every process, so once is enough.
  for (const [name, runs] of results) {
    if (name !== again) Object.assign(runs[0], await measure(script("memory"), [name, size]));
  }
  bySize.push(results);
}

/** A table of one operation: a row a contender, then the ratios that have a goal. */
function compare(operation, unit, goals, { judged = () => true } = {}) {
  report.table(`${operation} (${unit})`, sizes);
  const figures = (what, value) =>
    sizes.map((size, i) => ({ figure: `${what}, ${size} timers`, value: value(bySize[i]), judge: judged(size) }));
  const pick = (result) => result[operation] ?? Number.NaN;
  for (const name of bySize[0].keys()) {
    const values = figures(`${operation}: ${name}`, (results) =>
      results.has(name) ? middle(results, name, pick) : Number.NaN,
    );
    if (!Number.isNaN(values[0].value)) report.row(name, values, unit);
    if (name !== "setTimeout" || operation !== "reset") continue;
    const refreshes = figures("reset: timeout.refresh()", (results) => middle(results, name, (r) => r.refresh));
    report.row("timeout.refresh()", refreshes, unit);
  }
  for (const { name, rival, of = pick, goal } of goals) {
    const what = `${operation}: ${ours} / ${name}`;
    report.row(
      `${ours} / ${name}`,
      figures(what, (results) => ratio(results, ours, pick, rival, of)),
      "x",
      goal,
    );
  }
  const noise = `${operation}: ${again} / ${ours}`;
  report.row(
    "A/A",
    figures(noise, (results) => ratio(results, again, pick, ours)),
    "x",
  );
}

compare("start", "ns", [{ name: "setTimeout", rival: "setTimeout", goal: 1.2 }]);
compare("reset", "ns", [
  { name: "floor", rival: "floor", goal: 1.15 },
  { name: "refresh", rival: "setTimeout", of: (result) => result.refresh, goal: 0.75 },
  { name: "clear + set", rival: "setTimeout", goal: 0.35 },
]);
compare("increment", "ns", [{ name: "clear + set", rival: "setTimeout", goal: 0.15 }]);
compare("cancel", "ns", [{ name: "clearTimeout", rival: "setTimeout", goal: 0.5 }], { judged: (size) => size <= 1e5 });
compare("expiry", "ns", [{ name: "setTimeout", rival: "setTimeout", goal: 0.5 }], { judged: (size) => size === 1e5 });
compare("expiry, one delay", "ns", [{ name: "setTimeout", rival: "setTimeout" }]);
// The wheel itself takes 5 KiB, which shows where few timers share it.
report.table("heap (bytes a timer)", sizes);
for (const name of [...names, ...rivals].filter((name) => name !== again)) {
  const bytes = sizes.map((size, i) => ({
    figure: `bytes a timer: ${name}, ${size} timers`,
    value: bySize[i].get(name)?.[0].bytes ?? Number.NaN,
  }));
  report.row(name, bytes, "bytes", name === ours ? 104 : undefined);
}

const punctual = await interleave([ours, "setTimeout"], rounds, (name) => measure(script("punctuality"), [name]));
report.table("100 000 timers on a free loop (ms)", [ours, "setTimeout"]);
const lateness = (what, pick) =>
  [ours, "setTimeout"].map((name) => ({
    figure: `${what}: ${name}`,
    value: middle(punctual, name, pick),
    judge: name === ours,
  }));
report.row(
  "early by, at most",
  lateness("early", ({ earliest }) => Math.max(0, -earliest)),
  "ms",
  0,
);
report.row(
  "late by, at most",
  lateness("late", ({ latest }) => latest),
  "ms",
  20,
);

const liveSeconds = quick ? 12 : 60;
const live = ["driver", ours, again, "setTimeout", "refresh", ...rivals];
const cpus = new Map(
  await Promise.all(
    live.map(async (name) => {
      const figures = await measure(script("live"), [name, liveSeconds, rounds]);
      return [name, figures.map((cpu) => ({ cpu }))];
    }),
  ),
);
const drivers = cpus.get("driver").map(({ cpu }) => cpu);
for (const name of live.slice(1)) {
  cpus.get(name).forEach((result, round) => {
    result.above = result.cpu - drivers[round];
  });
}
report.table(`100 000 live timers, ${rounds} x ${liveSeconds} s`, ["CPU ms/s"]);
report.row("the driver alone", [{ figure: "CPU: driver", value: middle(cpus, "driver", ({ cpu }) => cpu) }], "ms/s");
for (const name of live.slice(1)) {
  report.row(
    `${name}, above the driver`,
    [{ figure: `CPU above the driver: ${name}`, value: middle(cpus, name, ({ above }) => above) }],
    "ms/s",
  );
}
const above = ({ above }) => above;
const cpuRatio = (name, other) => ratio(cpus, name, above, other);
report.row(
  `${ours} / setTimeout`,
  [{ figure: `CPU above the driver: ${ours} / setTimeout`, value: cpuRatio(ours, "setTimeout") }],
  "x",
  0.3,
);
report.row("A/A", [{ figure: `CPU above the driver: ${again} / ${ours}`, value: cpuRatio(again, ours) }], "x");
report.end();
