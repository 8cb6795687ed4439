// A message board with Nest on its default platform, express. (What TypeScript makes of its decorators, by hand.)
import "reflect-metadata";
import { EventEmitter, once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { Body, Controller, Get, Module, Post, Sse, UploadedFile, UseInterceptors } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { FileInterceptor } from "@nestjs/platform-express";
import { fromEvent, map } from "rxjs";

const board = new EventEmitter();

class BoardController {
  hello() {
    return "hello\n";
  }
  async slow() {
    await pause(300);
    return "slow\n";
  }
  never() {
    return new Promise(() => {});
  }
  async poll() {
    const [message] = await once(board, "message");
    return message;
  }
  events() {
    return fromEvent(board, "message").pipe(map((data) => ({ data })));
  }
  publish(message) {
    board.emit("message", message);
    return `${message.length}\n`;
  }
  upload(file) {
    return `${file.size}\n`;
  }
}

class BoardModule {}

const decorate = (name, ...decorators) =>
  Reflect.decorate(decorators, BoardController.prototype, name, descriptorOf(BoardController.prototype, name));
const descriptorOf = Object.getOwnPropertyDescriptor;
decorate("hello", Get("/"));
decorate("slow", Get("/slow"));
decorate("never", Get("/never"));
decorate("poll", Get("/poll"));
decorate("events", Sse("/events"));
decorate("publish", Post("/messages"));
decorate("upload", Post("/upload"), UseInterceptors(FileInterceptor("file")));
Body()(BoardController.prototype, "publish", 0);
UploadedFile()(BoardController.prototype, "upload", 0);
Controller()(BoardController);
Module({ controllers: [BoardController] })(BoardModule);

const app = await NestFactory.create(BoardModule, { logger: false });
app.useBodyParser("text", { limit: "10mb" });
await app.listen(0, "127.0.0.1");
const server = app.getHttpServer();
console.log(`listening on ${server.address().port}`);
