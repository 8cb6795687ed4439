// lateness: how long after its deadline a client that stalls is ended.
//
// Method. 100 clients of one server in the same process: a third sends half a head, a third the head of a request with a
// body of which nothing follows, and a third asks for 64 MB and never reads. The limits are 10 s. Lateness is counted from
// the client's last byte, or the last that the kernel took for it, plus the limit, to the first that the client sees of its
// end; that of one that does not read is the 'close' of its socket in the server. Shown is the latest of each kind.
// node:http beside it has headersTimeout and requestTimeout at 10 s and looks at them every 30 s, as it does by default.
import { Report, flags } from "./lib/report.js";
import { measure } from "./lib/rounds.js";

const { json, quick } = flags();
const report = new Report("lateness", { json });
const script = new URL("lateness/server.js", import.meta.url).pathname;
const rounds = quick ? 1 : 5;
const kinds = ["head", "body", "reading"];

const first = measure(script, ["bare", quick ? 14 : 44]);
const ours = [];
for (let i = 0; i < rounds; i++) ours.push(await measure(script, ["manage", 16]));
const bare = await first;

report.table("latest of 100 clients", kinds);
const row = (name, value, goal) =>
  report.row(
    name,
    kinds.map((kind) => ({ figure: `${name}: ${kind}`, value: value(kind) })),
    "ms",
    goal,
  );
row("manage", (kind) => Math.max(...ours.map((result) => result.latest[kind])), 50);
row("manage, not ended", (kind) => Math.max(...ours.map((result) => result.open[kind])), 0);
row("node:http", (kind) => bare.latest[kind] ?? NaN);
row("node:http, not ended", (kind) => bare.open[kind]);
report.end();
