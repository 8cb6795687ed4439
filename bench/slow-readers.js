// slow-readers: what the kernel still holds of responses whose clients never read, after their send deadline.
//
// Method. 200 clients in a process of their own ask for 16 MB each and never read. The bytes that wait in the kernel are
// those in the send queues of the server's port (/proc/net/tcp), taken just before the deadline of 3 s and again 2 s after
// every socket has closed. `destroy()` is a server whose socket.setTimeout destroys the socket. Linux only.
import { Report, flags } from "./lib/report.js";
import { interleave, measure, middle } from "./lib/rounds.js";

const { json, quick } = flags();
const report = new Report("slow-readers", { json });
const script = new URL("slow-readers/server.js", import.meta.url).pathname;
const readers = quick ? 20 : 200;
const names = ["manage", "destroy()"];
const results = await interleave(names, quick ? 1 : 3, (name) => measure(script, [name, readers]));

report.table(`${readers} readers of 16 MB`, ["held before", "after", "of before", "not ended"]);
for (const name of names) {
  const ours = name === "manage";
  const figure = (pick, unit, goal) => ({
    figure: `${name}: ${pick}`,
    value: middle(results, name, (result) => result[pick]),
    unit,
    goal: ours ? goal : undefined,
  });
  report.row(name, [
    figure("before", "MB"),
    figure("after", "MB"),
    { ...figure("after", "%", 5), value: middle(results, name, ({ after, before }) => (100 * after) / before) },
    figure("open", "", 0),
  ]);
}
report.end();
