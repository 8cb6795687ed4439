// One server of slow readers: `server.js <"manage" or "destroy()"> <readers>`.
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as after } from "node:timers/promises";
import { contender } from "../lib/contenders.js";

const [name, readers] = process.argv.slice(2);
const limit = 3000;
const large = Buffer.alloc(16 * 2 ** 20);
const safetyLimits = { responseSendTimeout: limit, minSendRate: { bytesPerSecond: 0 }, maxBufferedBytes: Infinity };
const ours = name === "manage";
const { server } = await contender(ours ? name : "bare", (_, response) => response.end(large), { safetyLimits });
let asked = 0;
let closed = 0;
server.on("connection", (socket) => {
  if (!ours) socket.setTimeout(limit, () => socket.destroy());
  socket.on("close", () => closed++);
});
server.on("request", () => asked++);
server.listen(0, "127.0.0.1", 4096);
await once(server, "listening");
const { port } = server.address();

/** Megabytes in the send queues of the server's port, whoever's sockets they are by now. */
function held() {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  let bytes = 0;
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n").slice(1)) {
    const [, address = "", , , queues = ""] = line.trim().split(/\s+/);
    if (address.endsWith(local)) bytes += parseInt(queues.split(":")[0], 16);
  }
  return bytes / 1e6;
}

const clients = fork(new URL("clients.js", import.meta.url).pathname, [port, readers]);
while (asked < Number(readers)) await after(10);
await after(limit / 2);
const before = held();
const until = performance.now() + 3 * limit;
while (closed < Number(readers) && performance.now() < until) await after(20);
await after(2000);
console.log(JSON.stringify({ before, after: held(), open: Number(readers) - closed }));
clients.disconnect();
process.exit();
