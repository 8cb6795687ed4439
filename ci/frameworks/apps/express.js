// A message board with express.
import { EventEmitter, once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import express from "express";
import multer from "multer";

const board = new EventEmitter();
const app = express();

app.get("/", (_request, response) => {
  response.send("hello\n");
});
app.get("/slow", async (_request, response) => {
  await pause(300);
  response.send("slow\n");
});
app.get("/never", () => {});
app.get("/poll", async (_request, response) => {
  const [message] = await once(board, "message");
  response.send(message);
});
app.get("/events", (_request, response) => {
  const tell = (message) => response.write(`data: ${message}\n\n`);
  response.set("Content-Type", "text/event-stream").flushHeaders();
  board.on("message", tell);
  response.on("close", () => board.off("message", tell));
});
app.post("/messages", express.text({ limit: "10mb" }), (request, response) => {
  board.emit("message", request.body);
  response.send(`${request.body.length}\n`);
});
app.post("/upload", multer().single("file"), (request, response) => {
  response.send(`${request.file.size}\n`);
});

const server = app.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
