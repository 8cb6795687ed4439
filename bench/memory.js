// memory: heap and resident memory per idle keep-alive connection of node:http under each guard, beside the bare server.
//
// Method. Each server runs in a process of its own with 9 000 keep-alive connections on loopback, each of which has been
// served one request; the clients run in another process. The heap is what is in use after collecting garbage, less what
// was in use before they came, per connection; extra is that less the bare server's of the same round. Resident is the
// memory of the whole process.
// keepAliveTimeout is 75 s on every server, so that nobody's connections end meanwhile. Medians over the rounds: the resident
// memory of two processes that do the same differs by up to 4 %.
import { contenders } from "./lib/contenders.js";
import { Report, flags } from "./lib/report.js";
import { interleave, measure, middle } from "./lib/rounds.js";
import { median } from "./lib/statistics.js";

const { json, quick } = flags();
const report = new Report("memory", { json });
const script = new URL("memory/server.js", import.meta.url).pathname;
const connections = quick ? 2000 : 9000;
const rounds = quick ? 1 : 7;
const names = ["bare", "bare again", ...Object.keys(contenders).filter((name) => name !== "bare")];
const results = await interleave(names, rounds, (name) => measure(script, [name, connections]));

report.table(`${connections} idle connections`, ["heap each", "extra", "resident", "of bare"]);
for (const name of names) {
  const over = (combine) =>
    median(results.get(name).map((result, round) => combine(result, results.get("bare")[round])));
  const ours = name === "manage" && !quick;
  const row = (pick) => ({ figure: `${name}: ${pick}`, value: middle(results, name, (result) => result[pick]) });
  const heap = row("heap");
  const extra = { figure: `${name}: extra heap`, value: over((result, bare) => result.heap - bare.heap) };
  const resident = row("resident");
  const ratio = {
    figure: `${name}: resident / bare`,
    value: over((result, bare) => result.resident / bare.resident),
  };
  report.row(name, [
    { ...heap, unit: "B" },
    { ...extra, unit: "B", goal: ours ? 480 : undefined },
    { ...resident, unit: "MB" },
    { ...ratio, unit: "x", goal: ours ? 1.05 : undefined },
  ]);
}
report.end();
