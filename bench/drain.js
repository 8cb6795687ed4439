// drain: how long a server takes to end politely, and what it loses.
//
// Method. Each server runs in a process of its own; its clients, in another, hold 5 000 connections that have been served
// once and are idle, and 100 with a request in flight that takes 200 ms. As soon as the requests have begun the server is
// told to stop, with a grace period of 5 s, in the manner of its guard. The figure is the time from then until the last
// client saw its connection close; a request is lost when its answer does not come whole. Nobody is waited for longer
// than 6 s. Servers take turns; medians over the rounds.
import { contenders } from "./lib/contenders.js";
import { Report, flags } from "./lib/report.js";
import { interleave, measure, middle } from "./lib/rounds.js";

const { json, quick } = flags();
const report = new Report("drain", { json });
const script = new URL("drain/clients.js", import.meta.url).pathname;
const idle = quick ? 1000 : 5000;
const rounds = quick ? 1 : 3;
const names = Object.keys(contenders);
const results = await interleave(names, rounds, (name) => measure(script, [name, idle]));
const time = (name) => middle(results, name, (result) => result.milliseconds);
const rivals = names.filter((name) => name !== "manage" && middle(results, name, (result) => result.lost) === 0);
const fastest = Math.min(...rivals.map(time));

report.table(`${idle} idle, 100 in flight`, ["last closed", "of fastest", "lost", "still open"]);
for (const name of names) {
  const most = (pick) => Math.max(...results.get(name).map(pick));
  const ours = name === "manage";
  report.row(name, [
    { figure: `${name}: last socket closed`, value: time(name), unit: "ms" },
    {
      figure: `${name}: / fastest rival that loses nothing`,
      value: time(name) / fastest,
      unit: "x",
      goal: ours ? 1.25 : undefined,
    },
    { figure: `${name}: lost`, value: most((result) => result.lost), unit: "", goal: ours ? 0 : undefined },
    { figure: `${name}: still open`, value: most((result) => result.open), unit: "", goal: ours ? 0 : undefined },
  ]);
}
report.end();
