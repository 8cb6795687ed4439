// A message board with hono on Node.
import { EventEmitter, once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";

const board = new EventEmitter();
const app = new Hono();

app.get("/", (context) => context.text("hello\n"));
app.get("/slow", async (context) => {
  await pause(300);
  return context.text("slow\n");
});
app.get("/never", () => new Promise(() => {}));
app.get("/poll", async (context) => {
  const [message] = await once(board, "message");
  return context.text(message);
});
app.get("/events", (context) =>
  streamSSE(context, async (stream) => {
    const gone = new Promise((resolve) => stream.onAbort(resolve));
    const tell = (data) => stream.writeSSE({ data });
    board.on("message", tell);
    await gone;
    board.off("message", tell);
  }),
);
app.post("/messages", async (context) => {
  const message = await context.req.text();
  board.emit("message", message);
  return context.text(`${message.length}\n`);
});
app.post("/upload", async (context) => {
  const { file } = await context.req.parseBody();
  return context.text(`${file.size}\n`);
});

serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(`listening on ${port}`));
