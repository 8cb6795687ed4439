// One server and 100 clients that stall: `server.js <contender> <seconds>` prints how late the latest of each kind was
// ended, and how many were not within so many seconds.
import { once } from "node:events";
import { connect } from "node:net";
import process from "node:process";
import { setTimeout as after } from "node:timers/promises";
import { contender } from "../lib/contenders.js";

const [name, seconds] = process.argv.slice(2);
const limit = 10_000;
const large = Buffer.alloc(64 * 2 ** 20);
const stalls = {
  head: "GET / HTTP/1.1\r\nHost: local",
  body: "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
  reading: "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n",
};
// The rates would end some before their deadline.
const safetyLimits = { requestReadTimeout: limit, responseSendTimeout: limit, minReceiveRate: 0, minSendRate: 0 };
const { server } = await contender(
  name,
  (request, response) => {
    request.resume();
    if (request.url === "/large") response.end(large);
    else request.once("end", () => response.end());
  },
  { safetyLimits },
);
if (name === "bare") Object.assign(server, { headersTimeout: limit, requestTimeout: limit });
server.listen(0, "127.0.0.1");
await once(server, "listening");

/** By the client's port: its kind, and when it sent its last byte. */
const clients = new Map();
const latest = {};
const open = { head: 0, body: 0, reading: 0 };

/** The first sign of its end. */
function ended(client) {
  if (client.ended) return;
  client.ended = true;
  latest[client.kind] = Math.max(latest[client.kind] ?? -Infinity, performance.now() - client.stalledAt - limit);
  open[client.kind]--;
}

server.on("connection", (socket) => {
  const { remotePort } = socket;
  socket.on("error", () => {});
  socket.on("close", () => ended(clients.get(remotePort)));
  // The kernel goes on taking bytes for a moment.
  let queued = 0;
  const watch = setInterval(() => {
    const now = socket._handle?.writeQueueSize ?? queued;
    if (now !== queued) clients.get(remotePort).stalledAt = performance.now();
    queued = now;
  }, 2);
  socket.on("close", () => clearInterval(watch));
});
const kinds = Object.keys(stalls);
for (let i = 0; i < 100; i++) {
  const kind = kinds[i % kinds.length];
  const socket = connect(server.address().port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(stalls[kind]);
  open[kind]++;
  const client = { kind, stalledAt: performance.now(), ended: false };
  clients.set(socket.localPort, client);
  if (kind === "reading") socket.pause();
  else for (const event of ["data", "end", "close"]) socket.on(event, () => ended(client));
  await after(5 * Math.random());
}
const until = performance.now() + Number(seconds) * 1000;
while (performance.now() < until && open.head + open.body + open.reading > 0) await after(20);
console.log(JSON.stringify({ latest, open }));
process.exit();
