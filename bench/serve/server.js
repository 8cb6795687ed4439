// One server in a process of its own, and what its clients cost it in CPU: `server.js <contender> <work> <amount>`.
import { fork } from "node:child_process";
import { createServer } from "node:net";
import process from "node:process";

const messageLength = 64;
const [contender, work, amount] = process.argv.slice(2);

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
const run = (count) =>
  new Promise((resolve) => {
    clients.once("message", resolve);
    clients.send({ port, work, count });
  });

await run(Number(amount) / 4);
globalThis.gc?.();
const before = process.cpuUsage();
await run(Number(amount));
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ microseconds: (user + system) / amount }));
process.exit();
