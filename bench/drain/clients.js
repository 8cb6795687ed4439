// The clients of one server that is drained: `clients.js <contender> <idle>`.
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import process from "node:process";
import { setTimeout as after } from "node:timers/promises";

const [contender, idle] = process.argv.slice(2);
const longest = 6000;
const child = fork(new URL("server.js", import.meta.url).pathname, [contender]);
const [port] = await once(child, "message");

let open = 0;
let lastClosed = 0;
/** Connects and asks once. */
function ask(path) {
  open++;
  const socket = connect(port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`));
  socket.on("error", () => {});
  socket.on("close", () => {
    open--;
    lastClosed = performance.now();
  });
  return socket;
}

for (let served = 0; served < Number(idle); served += 100) {
  await Promise.all(Array.from({ length: 100 }, () => once(ask("/"), "data")));
}
const answers = Array.from({ length: 100 }, () => "");
for (let i = 0; i < answers.length; i++) ask("/slow").on("data", (bytes) => (answers[i] += bytes));
await once(child, "message");
const told = performance.now();
child.send("stop");
while (open > 0 && performance.now() - told < longest) await after(5);
const lost = answers.filter((answer) => !answer.endsWith("slow\n")).length;
console.log(JSON.stringify({ milliseconds: open > 0 ? longest : lastClosed - told, lost, open }));
child.kill("SIGKILL");
process.exit();
