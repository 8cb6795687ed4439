// A message board with koa.
import { EventEmitter, once } from "node:events";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import multer from "@koa/multer";
import { Router } from "@koa/router";
import Koa from "koa";

const board = new EventEmitter();
const router = new Router();

router.get("/", (context) => {
  context.body = "hello\n";
});
router.get("/slow", async (context) => {
  await pause(300);
  context.body = "slow\n";
});
router.get("/never", () => new Promise(() => {}));
router.get("/poll", async (context) => {
  const [message] = await once(board, "message");
  context.body = message;
});
router.get("/events", (context) => {
  const events = new PassThrough();
  const tell = (message) => events.write(`data: ${message}\n\n`);
  context.type = "text/event-stream";
  context.body = events;
  context.flushHeaders();
  board.on("message", tell);
  events.on("close", () => board.off("message", tell));
});
router.post("/messages", async (context) => {
  const message = await text(context.req);
  board.emit("message", message);
  context.body = `${message.length}\n`;
});
router.post("/upload", multer().single("file"), (context) => {
  context.body = `${context.file.size}\n`;
});

const app = new Koa();
app.silent = true;
app.use(router.routes());
const server = app.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
