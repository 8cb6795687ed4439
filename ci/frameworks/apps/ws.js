// An echo over WebSockets with ws.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const server = createServer((_request, response) => response.end("hello\n"));
const sockets = new WebSocketServer({ server });

sockets.on("connection", (socket) => {
  socket.on("error", console.error);
  socket.on("message", (message, isBinary) => socket.send(message, { binary: isBinary }));
});

server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
