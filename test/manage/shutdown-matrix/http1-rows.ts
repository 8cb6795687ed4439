/** The rows of the shutdown matrix about requests of HTTP/1.1. */
import assert from "node:assert/strict";
import { Agent, request as requestHttp } from "node:http";
import { Agent as SecureAgent, request as requestHttps } from "node:https";
import { text } from "node:stream/consumers";
import { answers, get } from "../../protocols/http1/web.ts";
import { came, endedAtGrace, endedAtOnce, endedWithWork, grace } from "./stage.ts";
import type { Row, Stage } from "./stage.ts";
import { isSecure } from "./servers.ts";

const web = ["http", "https"] as const;
const close = /^Connection: close\r$/m;

/** Asks by a client of Node's that keeps its connections alive. */
function ask(stage: Stage, path: string): Promise<{ status: number; connection: string | undefined; body: string }> {
  const options = { port: stage.port, host: "127.0.0.1", path, rejectUnauthorized: false };
  const agent = isSecure(stage.protocol) ? new SecureAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
  const request = (isSecure(stage.protocol) ? requestHttps : requestHttp)({ ...options, agent });
  return new Promise((resolve, reject) => {
    request.on("error", reject).on("response", (response) => {
      const { statusCode = 0, headers } = response;
      text(response).then((body) => resolve({ status: statusCode, connection: headers.connection, body }), reject);
    });
    request.end();
  });
}

export const http1Rows: readonly Row[] = [
  {
    name: "an idle keep-alive connection ends at once",
    on: web,
    async play(stage) {
      const client = await stage.dial();
      client.write(get("/"));
      await client.gets(/ok$/);
      await stage.settles("idle", 1);
      const outcome = await stage.drain();
      endedAtOnce(outcome);
      came(outcome, { idle: 1 });
      assert.equal(await client.ended, "FIN");
    },
  },
  {
    name: "a request in flight is answered with Connection: close, and the drain ends then",
    on: web,
    async play(stage) {
      const answer = ask(stage, "/after/600");
      await stage.begun(1);
      const outcome = await stage.drain();
      assert.deepEqual(await answer, { status: 200, connection: "close", body: "whole" });
      endedWithWork(outcome, 600);
      came(outcome, { finished: 1 });
    },
  },
  {
    name: "a response that has begun comes whole, and the drain ends then",
    on: web,
    async play(stage) {
      const answer = ask(stage, "/begun/400");
      await stage.settles("sending", 1);
      const outcome = await stage.drain();
      assert.deepEqual(await answer, { status: 200, connection: "keep-alive", body: "begun and whole" });
      endedWithWork(outcome, 400);
      came(outcome, { finished: 1 });
    },
  },
  {
    name: "two pipelined requests in flight are both answered; the last says close",
    on: web,
    async play(stage) {
      const client = await stage.dial();
      client.write(get("/after/400") + get("/after/300"));
      await stage.begun(2);
      const outcome = await stage.drain();
      const got = answers(await client.all());
      assert.deepEqual(
        got.map(({ body, head }) => [body, close.test(head)]),
        [
          ["whole", false],
          ["whole", true],
        ],
      );
      endedWithWork(outcome, 400);
      came(outcome, { finished: 1 });
    },
  },
  {
    name: "a handler that never answers is cut at the grace period: 503",
    on: web,
    async play(stage) {
      const client = await stage.dial();
      client.write(get("/never"));
      await stage.begun(1);
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      came(outcome, { cut: ["drain-cut while handling"] });
      const [answer] = answers(await client.all());
      assert.equal(answer?.status, 503);
      assert.match(answer?.head ?? "", close);
    },
  },
  {
    name: "a response that never ends is cut at the grace period",
    on: web,
    async play(stage) {
      const client = await stage.dial();
      client.write(get("/endless"));
      await stage.settles("sending", 1);
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      came(outcome, { cut: ["drain-cut while sending"] });
      assert.match(await client.all(), /\r\nbegun\r\n$/);
    },
  },
  {
    name: "half a head has its short chance, and then gets 408",
    on: web,
    async play(stage) {
      const client = await stage.dial();
      client.write("GET / HTTP/1.1\r\nHo");
      await stage.settles("reading", 1);
      const outcome = await stage.drain();
      endedWithWork(outcome, grace / 2);
      came(outcome, { cut: ["read-timeout while reading"] });
      const [answer] = answers(await client.all());
      assert.equal(answer?.status, 408);
      assert.match(answer?.head ?? "", close);
    },
  },
  {
    name: "half a head that is completed 200 ms later is answered with Connection: close",
    on: web,
    async play(stage) {
      const client = await stage.dial();
      client.write("GET / HTTP/1.1\r\nHo");
      await stage.settles("reading", 1);
      setTimeout(() => client.write("st: x\r\n\r\n"), 200);
      const outcome = await stage.drain();
      endedWithWork(outcome, 200);
      came(outcome, { finished: 1 });
      const [answer] = answers(await client.all());
      assert.equal(answer?.body, "ok");
      assert.match(answer?.head ?? "", close);
    },
  },
  {
    name: "an upload that stalls is cut at the grace period: 503",
    on: web,
    async play(stage) {
      const client = await stage.dial();
      client.write("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
      await stage.begun(1);
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      came(outcome, { cut: ["drain-cut while handling"] });
      assert.equal(answers(await client.all())[0]?.status, 503);
    },
  },
  {
    name: "a client that leaves in the middle of its upload has not finished",
    on: web,
    async play(stage) {
      const client = await stage.dial();
      client.write("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
      await stage.begun(1);
      setTimeout(() => client.end(), 200);
      const outcome = await stage.drain();
      endedWithWork(outcome, 200);
      came(outcome, { cut: ["client-ended while handling"] });
    },
  },
  {
    name: "an upload that goes on is finished and answered",
    on: web,
    async play(stage) {
      const client = await stage.dial();
      client.write("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf");
      await stage.begun(1);
      setTimeout(() => client.write("half"), 200);
      const outcome = await stage.drain();
      endedWithWork(outcome, 200);
      came(outcome, { finished: 1 });
      const [answer] = answers(await client.all());
      assert.equal(answer?.body, "8 bytes");
      assert.match(answer?.head ?? "", close);
    },
  },
  {
    name: "a second request on the same socket is answered too, and only it says close",
    on: web,
    async play(stage) {
      const client = await stage.dial();
      client.write(get("/after/400"));
      await stage.begun(1);
      setTimeout(() => client.write(get("/")), 150);
      const outcome = await stage.drain();
      endedWithWork(outcome, 400);
      came(outcome, { finished: 1 });
      assert.deepEqual(
        answers(await client.all()).map(({ body, head }) => [body, close.test(head)]),
        [
          ["whole", false],
          ["ok", true],
        ],
      );
    },
  },
];
