// A message board with fastify.
import { EventEmitter, once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import multipart from "@fastify/multipart";
import fastify from "fastify";

const board = new EventEmitter();
const app = fastify();
await app.register(multipart, { limits: { fileSize: 2 ** 26 } });

app.get("/", () => "hello\n");
app.get("/slow", async () => {
  await pause(300);
  return "slow\n";
});
app.get("/never", () => new Promise(() => {}));
app.get("/poll", async () => {
  const [message] = await once(board, "message");
  return message;
});
app.get("/events", (_request, reply) => {
  const tell = (message) => reply.raw.write(`data: ${message}\n\n`);
  reply.hijack();
  reply.raw.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
  board.on("message", tell);
  reply.raw.on("close", () => board.off("message", tell));
});
app.post("/messages", { bodyLimit: 10_000_000 }, ({ body }) => {
  board.emit("message", body);
  return `${body.length}\n`;
});
app.post("/upload", async (request) => {
  const file = await request.file();
  const bytes = await file.toBuffer();
  return `${bytes.length}\n`;
});

await app.listen({ port: 0, host: "127.0.0.1" });
const { server } = app;
console.log(`listening on ${server.address().port}`);
