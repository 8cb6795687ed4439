// Clients that ask and never read: `clients.js <port> <count>`.
import { connect } from "node:net";
import process from "node:process";

const [port, count] = process.argv.slice(2).map(Number);
for (let i = 0; i < count; i++) {
  const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  socket.on("error", () => {});
  socket.pause();
}
process.on("disconnect", () => process.exit());
