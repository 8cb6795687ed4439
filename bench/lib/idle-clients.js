// Keep-alive clients in a process of their own: `idle-clients.js <port> <count>` opens so many connections, has one request
// served on each, and says so; then it keeps them open until it is told to go.
import { connect } from "node:net";
import process from "node:process";

const [port, count] = process.argv.slice(2).map(Number);
const atOnce = 100;
const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

let begun = 0;
let served = 0;
function next() {
  if (begun++ >= count) return;
  const socket = connect(port, "127.0.0.1", () => socket.write(request));
  socket.on("error", () => {});
  socket.once("data", () => {
    if (++served === count) process.send("served");
    next();
  });
  socket.resume();
}
for (let i = 0; i < atOnce; i++) next();
process.on("disconnect", () => process.exit());
