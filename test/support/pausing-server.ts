/** Run as a process of its own: a server whose event loop is blocked once, and a report of what became of its clients. */
import { performance } from "node:perf_hooks";
import { echo, until } from "./clients.ts";

const [deadline = 0, blocked = 0] = process.argv.slice(2).map(Number);
const closed: { last: string; reason: string; at: number; deadline: number }[] = [];
const seen = new Set<unknown>();

const server = await echo({
  safetyLimits: { requestReadTimeout: deadline, idleTimeout: deadline, minReceiveRate: 0 },
  dispatch: (connection, last) => {
    if (last !== "alive") {
      // Once it is answered and idle again.
      setImmediate(() => {
        const { deadline } = connection.timer;
        void connection.closed.then((reason) => closed.push({ last, reason, at: performance.now(), deadline }));
      });
    } else if (!seen.has(connection)) {
      seen.add(connection);
      void connection.closed.then((reason) => closed.push({ last, reason, at: performance.now(), deadline: 0 }));
    }
    connection.output.write(`${last}\n`);
  },
});
process.send?.(server.port);
await until(() => server.connections.size === 21 && seen.size === 20);

const end = performance.now() + blocked;
while (performance.now() < end);
const pauseEnded = performance.now();

await until(() => closed.length > 0);
// Long enough for a second client to be cut, if one were.
await new Promise((resolve) => setTimeout(resolve, deadline / 2));
const [connection] = server.connections;
process.send?.({
  pauseEnded,
  resolution: connection?.manager.timers.resolution,
  closed,
  live: server.connections.size,
});
process.on("disconnect", () => process.exit());
