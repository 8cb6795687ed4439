// The server that is drained, in a process of its own: `server.js <contender>`.
import { once } from "node:events";
import process from "node:process";
import { contender } from "../lib/contenders.js";

let inFlight = 0;
const { server, stop } = await contender(process.argv[2], (request, response) => {
  if (request.url !== "/slow") {
    response.end("hello\n");
    return;
  }
  if (++inFlight === 100) process.send("in flight");
  setTimeout(() => response.end("slow\n"), 200);
});
server.keepAliveTimeout = 75_000;
server.listen(0, "127.0.0.1", 4096);
await once(server, "listening");
process.send(server.address().port);
process.on("message", () => void stop());
