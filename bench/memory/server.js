// One server in a process of its own, and what its idle connections hold: `server.js <contender> <connections>`.
import { fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { setTimeout as after } from "node:timers/promises";
import { contender } from "../lib/contenders.js";

const [name, count] = process.argv.slice(2);
const { server } = await contender(name, (_, response) => response.end("hello\n"));
if (name !== "manage") server.keepAliveTimeout = 75_000;
server.listen(0, "127.0.0.1", 4096);
await once(server, "listening");
const { port } = server.address();

async function inUse() {
  for (let i = 0; i < 4; i++) {
    await after(50);
    globalThis.gc();
  }
  return process.memoryUsage();
}

/** So many clients, each served once. */
async function fill(clients) {
  const child = fork(new URL("../lib/idle-clients.js", import.meta.url).pathname, [port, clients]);
  await once(child, "message");
  return child;
}

// A few clients come and go first, so that what is made once is not counted.
const first = await fill(200);
first.disconnect();
await once(first, "exit");
const before = await inUse();
const clients = await fill(Number(count));
const full = await inUse();
console.log(
  JSON.stringify({
    heap: (full.heapUsed - before.heapUsed) / count,
    resident: full.rss / 1e6,
  }),
);
clients.disconnect();
process.exit();
