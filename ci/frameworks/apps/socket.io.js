// An echo with socket.io.
import { createServer } from "node:http";
import { Server } from "socket.io";

const server = createServer((_request, response) => response.end("hello\n"));
const io = new Server(server);

io.on("connection", (socket) => {
  socket.on("say", (text) => socket.emit("said", text));
});

server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
