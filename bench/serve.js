// serve: CPU per echo round trip, and per connection, beside a bare net server.
//
// Method. Each server lives in a process of its own and measures its own CPU time, user and system, with process.cpuUsage;
// its 50 clients run in another process, which is not measured. The bare server is `for await (const chunk of socket)
// socket.write(chunk)`; ours reads with connection.reader and has every deadline and budget of the safe defaults. All are
// warmed up first: a server lives for long. Then they take turns of a tenth of a second, so that what else the machine
// does falls on all of them; the median over the rounds is shown, and a ratio is taken within a round. "portreeve again"
// is the same code a second time: differences smaller than its distance from 1 mean nothing.
import { fork } from "node:child_process";
import { once } from "node:events";
import { Report, flags } from "./lib/report.js";
import { interleave, middle, ratio } from "./lib/rounds.js";

const { json, quick } = flags();
const report = new Report("serve", { json });
const script = new URL("serve/server.js", import.meta.url).pathname;
const contenders = ["bare", "portreeve", "portreeve again"];
const rounds = quick ? 25 : 101;
const warmUpTurns = 6;

/** A server that stays. */
async function start(name, work) {
  const server = fork(script, [name, work]);
  await once(server, "message");
  return server;
}

/** @returns microseconds of CPU for each of `count` */
async function turn(server, count) {
  server.send(count);
  const [microseconds] = await once(server, "message");
  return microseconds;
}

async function compare(work, title, amount, goal) {
  const servers = new Map();
  for (const name of contenders) servers.set(name, await start(name, work));
  const run = (name) => turn(servers.get(name), amount);
  await interleave(contenders, warmUpTurns, run);
  const results = await interleave(contenders, rounds, run);
  for (const server of servers.values()) server.disconnect();
  const pick = (microseconds) => microseconds;
  report.table(title, ["CPU"]);
  for (const name of contenders) {
    report.row(name, [{ figure: `${title}: ${name}`, value: middle(results, name, pick) }], "us");
  }
  const figure = `${title}: portreeve / bare`;
  report.row("portreeve / bare", [{ figure, value: ratio(results, "portreeve", pick, "bare") }], "x", goal);
  const noise = ratio(results, "portreeve again", pick, "portreeve");
  report.row("A/A", [{ figure: `${title}: A/A`, value: noise }], "x");
}

await compare("echo", "echo round trip", 10_000, 1.05);
await compare("open", "connection opened and closed", 1000, 1.15);
report.end();
