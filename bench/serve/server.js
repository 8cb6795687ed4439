// One server in a process of its own, which lives as long as the benchmark: `server.js <contender> <work>`. Told a number,
// it has its clients do so many of the work, and says what one cost this process in CPU, in microseconds.
import { fork } from "node:child_process";
import { createServer } from "node:net";
import process from "node:process";

const messageLength = 64;
const [contender, work] = process.argv.slice(2);

async function bare() {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, async (socket) => {
    try {
      for await (const chunk of socket) socket.write(chunk);
      socket.end();
    } catch {
      socket.destroy();
    }
  });
  await new Promise((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return server.address().port;
}

async function portreeve() {
  const { serve } = await import("../../dist/index.js");
  const readRequest = async ({ reader }) => {
    const request = await reader.bytes(messageLength);
    return request === null ? null : { request, close: false };
  };
  const dispatch = ({ output }, request) => void output.write(request);
  return (await serve({ port: 0, host: "127.0.0.1", readRequest, dispatch })).port;
}

const port = await { bare, portreeve }[contender.split(" ")[0]]();
const clients = fork(new URL("clients.js", import.meta.url).pathname);

// From the end of a turn to the end of the next, so that what a server puts off counts.
let before = process.cpuUsage();
process.on("message", (count) => {
  clients.once("message", () => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    process.send((user + system) / count);
  });
  clients.send({ port, work, count });
});
process.on("disconnect", () => process.exit());
process.send("listening");
