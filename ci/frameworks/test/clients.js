// What each framework is driven with from outside its process: work that takes a while, and how it is told to end.
import assert from "node:assert/strict";
import { once } from "node:events";
import grpc from "@grpc/grpc-js";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import { call, chat, makeEcho } from "./grpc-client.js";
import { answerOf, makeClient } from "./support.js";

/** Each begins work on the server at `port`, and gives what must come of it when the server is told to end. */
const drivers = {
  http: async (t, port) => {
    const [sending, idle] = [makeClient(t, port), makeClient(t, port)];
    assert.equal((await sending.ask("/")).body, "hello\n");
    const request = sending.open("/messages", { method: "POST", headers: { "Content-Type": "text/plain" } });
    request.write("begun before, ");
    // Served later, so the one before is in work.
    const later = idle.open("/").end();
    assert.equal((await answerOf(later)).headers.connection, "keep-alive");
    const drainBegins = once(later.socket, "close");
    return async () => {
      await drainBegins;
      const { headers, body } = await answerOf(request.end("ended after"));
      assert.deepEqual([headers.connection, body], ["close", "25\n"]);
    };
  },

  ws: async (t, port) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    t.after(() => socket.terminate());
    await once(socket, "open");
    socket.send("hello");
    assert.equal(String((await once(socket, "message"))[0]), "hello");
    const closed = once(socket, "close");
    return async () => assert.equal((await closed)[0], 1001);
  },

  "socket.io": async (t, port) => {
    const socket = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], forceNew: true, reconnection: false });
    t.after(() => socket.close());
    const said = (event) => new Promise((resolve) => socket.once(event, resolve));
    await said("connect");
    socket.emit("say", "hello");
    assert.equal(await said("said"), "hello");
    const disconnected = said("disconnect");
    return async () => assert.equal(await disconnected, "transport close");
  },

  grpc: async (t, port) => {
    const [slow, other] = [makeEcho(t, port), makeEcho(t, port)];
    assert.equal(await call(slow, "say", "hello"), "hello");
    const answer = call(slow, "slow", "worth the wait");
    const stream = other.chat();
    assert.equal(await chat(stream, "before"), "before");
    return async () => {
      assert.equal(await answer, "worth the wait");
      assert.equal(await chat(stream, "during"), "during");
      stream.end();
      const [{ code }] = await once(stream, "status");
      assert.equal(code, grpc.status.OK);
    };
  },
};

export const frameworks = {
  express: drivers.http,
  fastify: drivers.http,
  koa: drivers.http,
  hono: drivers.http,
  nest: drivers.http,
  ws: drivers.ws,
  "socket.io": drivers["socket.io"],
  grpc: drivers.grpc,
};
