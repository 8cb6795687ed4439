// overhead: CPU per request of node:http and node:http2 under each guard, beside the bare server.
//
// Method. Sockets without a handle (lib/memory-socket.js) feed the real server code through server.emit("connection"), so
// that no system call hides what a guard costs. A guarded server and the bare one live in ONE process and take turns in
// random order; one process in two begins with the guard (overhead/turns.js says why). No two guards do: V8 would compile
// Node's code for the sockets of both, which are in no one's program. A turn is 2 000 requests (or 800 connections) from 20
// clients, each with one request in flight, after 80 000 that do not count; its figure is the CPU time of the whole process,
// so that collecting garbage counts, and it ends with a minor collection, so that nobody collects what another has left.
// Node runs without any flags, as servers do. A ratio is taken within a round of turns; shown is the median over the
// processes of the medians over the rounds. "bare again" is the bare server a second time (A/A): what differs by less means
// nothing. `manage` has every limit of makeSafetyLimits() on. The naive guard is socket.setTimeout and one setTimeout per
// phase of a request (lib/contenders.js). The full run takes ten to twenty minutes.
import { Report, flags } from "./lib/report.js";
import { measure } from "./lib/rounds.js";
import { median } from "./lib/statistics.js";

const { json, quick } = flags();
const report = new Report("overhead", { json });
const script = new URL("overhead/turns.js", import.meta.url).pathname;
const processes = quick ? 4 : 8;
const rounds = quick ? 20 : 80;

/** Compares with the bare server of the same processes. */
async function compare(work, names) {
  const results = [];
  for (let i = 0; i < processes; i++) {
    const env = { FIRST: i % 2 === 0 ? "last" : "first" };
    results.push(await measure(script, [work, rounds, "bare", ...names], [], env));
  }
  const over = (name, combine) =>
    median(results.map((result) => median(result[name].map((value, round) => combine(value, result.bare[round])))));
  return {
    bare: median(results.map((result) => median(result.bare))),
    ratio: (name) => over(name, (value, bare) => value / bare),
    extra: (name) => over(name, (value, bare) => (value - bare) * 1000),
  };
}

/** One table. @param goals the most that `manage` may be of bare, and its extra of the naive guard's */
async function show(title, work, sets, goals = {}) {
  report.table(title, ["CPU", "of bare", "extra"]);
  let naive = NaN;
  let ours = NaN;
  for (const names of sets) {
    const { bare, ratio, extra } = await compare(work, names);
    report.row("bare", [{ figure: `${title}: bare`, value: bare }], "us");
    for (const name of names) {
      report.row(name, [
        { figure: `${title}: ${name}`, value: bare * ratio(name), unit: "us" },
        {
          figure: `${title}: ${name} / bare`,
          value: ratio(name),
          unit: "x",
          goal: name === "manage" ? goals.ratio : undefined,
        },
        { figure: `${title}: ${name}, extra`, value: extra(name), unit: "ns" },
      ]);
      if (name === "manage") ours = extra(name);
      if (name === "naive guard") naive = extra(name);
    }
  }
  if (goals.extra === undefined) return;
  const figure = `${title}: extra of manage / extra of the naive guard`;
  report.row("manage / naive guard, extra", [{ figure, value: ours / naive }], "x", goals.extra);
}

const again = "bare again";
await show(
  "keep-alive request",
  "keep-alive",
  [[again, "manage"], ["naive guard"], ["stoppable"], ["terminus"], ["http-terminator"], ["fastify"]],
  { ratio: 1.02, extra: 0.15 },
);
await show("stream of HTTP/2", "streams", [[again, "manage"], ["naive guard"]], { ratio: 1.03 });
await show("one request, the client closes", "closed by the client", [[again, "manage"], ["naive guard"]], {
  ratio: 1.06,
});
await show("one request, the server closes", "closed by the server", [[again, "manage"], ["naive guard"]]);
report.end();
