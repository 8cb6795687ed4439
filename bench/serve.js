// serve: CPU per echo round trip, and per connection, beside a bare net server.
//
// Method. Each server runs in a process of its own and measures its own CPU time, user and system, with process.cpuUsage;
// its 50 clients run in another process, which is not measured. The bare server is `for await (const chunk of socket)
// socket.write(chunk)`; ours reads lines with connection.reader and has every deadline and budget of the safe defaults.
// Servers take turns; a ratio is taken within a round, and the median over the rounds is shown. "portreeve again" is the
// same code a second time: differences smaller than its distance from 1 mean nothing.
import { Report, flags } from "./lib/report.js";
import { interleave, measure, middle, ratio } from "./lib/rounds.js";

const { json, quick } = flags();
const report = new Report("serve", { json });
const server = new URL("serve/server.js", import.meta.url).pathname;
const contenders = ["bare", "portreeve", "portreeve again"];
const rounds = quick ? 5 : 11;

async function compare(work, title, amount, goal) {
  const results = await interleave(contenders, rounds, (name) => measure(server, [name, work, amount]));
  const pick = (result) => result.microseconds;
  report.table(title, ["CPU"]);
  for (const name of contenders) {
    report.row(name, [{ figure: `${title}: ${name}`, value: middle(results, name, pick) }], "us");
  }
  const figure = `${title}: portreeve / bare`;
  report.row("portreeve / bare", [{ figure, value: ratio(results, "portreeve", pick, "bare") }], "x", goal);
  const noise = ratio(results, "portreeve again", pick, "portreeve");
  report.row("A/A", [{ figure: `${title}: A/A`, value: noise }], "x");
}

await compare("echo", "echo round trip", quick ? 40_000 : 100_000, 1.05);
await compare("open", "connection opened and closed", quick ? 5000 : 10_000, 1.15);
report.end();
