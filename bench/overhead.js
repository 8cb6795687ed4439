// overhead: CPU per request of node:http under each guard, beside the bare server.
//
// Method. In-memory sockets (lib/memory-socket.js) feed the real server code through server.emit("connection"), so that
// no system call hides what a guard costs. At most four servers live in ONE process and take turns in random order, 2 000
// requests a turn from 20 clients, each client with one request in flight; a turn's figure is the CPU time of the whole
// process, so that collecting garbage counts. A ratio is taken within a round of turns; shown is the median over the
// processes of the medians over the rounds. A/A is the bare server a second time: what differs by less means nothing.
// `manage` has every limit of makeSafetyLimits() on. The naive guard is socket.setTimeout and one setTimeout per phase of
// a request (lib/contenders.js).
import { contenders } from "./lib/contenders.js";
import { Report, flags } from "./lib/report.js";
import { measure } from "./lib/rounds.js";
import { median } from "./lib/statistics.js";

const { json, quick } = flags();
const report = new Report("overhead", { json });
const script = new URL("overhead/turns.js", import.meta.url).pathname;
const processes = quick ? 3 : 7;
const rounds = quick ? 20 : 40;

/** Ratios and extra nanoseconds over the bare server of the same processes. */
async function compare(work, names) {
  const results = [];
  for (let i = 0; i < processes; i++) results.push(await measure(script, [work, rounds, "bare", ...names]));
  const over = (name, combine) =>
    median(results.map((result) => median(result[name].map((value, round) => combine(value, result.bare[round])))));
  const bare = median(results.map((result) => median(result.bare)));
  return {
    bare,
    ratio: (name) => over(name, (value, other) => value / other),
    extra: (name) => over(name, (value, other) => (value - other) * 1000),
  };
}

function show(title, comparison, names, goal) {
  report.table(title, ["of bare", "extra ns"]);
  for (const name of names) {
    const ratio = { figure: `${title}: ${name} / bare`, value: comparison.ratio(name) };
    report.row(name, [ratio], "x", name === "manage" ? goal : undefined);
    report.row("", [{ figure: `${title}: ${name}, extra`, value: comparison.extra(name) }], "ns");
  }
}

const ours = ["bare again", "manage", "naive guard"];
const title = "keep-alive request";
const first = await compare("keep-alive", ours);
show(title, first, ours, 1.02);
report.end();
