/**
 * Limits of size and number: what is just within is served, what is just over is refused with its status, a polite close,
 * and the limit as the reason. A fault of a later request leaves the answers to earlier ones alone.
 */
import assert from "node:assert/strict";
import type { RequestListener, ServerResponse } from "node:http";
import { test } from "node:test";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import { answers, get, until } from "../../protocols/http1/web.ts";
import { endsAs, refusalOf, seesEnd, startScene, webProtocols } from "./scene.ts";

interface Size {
  readonly name: string;
  readonly limits: SafetyLimitsOptions;
  /** A whole request that is within the limit, and the same with a little more. */
  readonly within: string;
  readonly over: string;
  readonly status: number;
  readonly limit: string;
  /** Whether the handler has been called by then. */
  readonly isBegun?: boolean;
}

const post = (path: string, ...headers: string[]): string => get(path, ...headers).replace("GET", "POST");

/** "GET /aa HTTP/1.1", of so many bytes. */
function line(length: number): string {
  return get(`/${"a".repeat(length - "GET / HTTP/1.1".length)}`);
}

/** `count` headers, Host among them. */
function headers(count: number): string {
  return get("/", ...Array.from({ length: count - 1 }, (_, i) => `h${i}: v`));
}

/** A header of so many bytes, the line end not counted. */
function header(length: number): string {
  return get("/", `long: ${"a".repeat(length - "long: ".length)}`);
}

function body(length: number, ...more: string[]): string {
  return post("/", `Content-Length: ${length}`, ...more) + "x".repeat(length);
}

function chunkedBody(...lengths: number[]): string {
  const chunks = lengths.map((length) => `${length.toString(16)}\r\n${"x".repeat(length)}\r\n`);
  return `${post("/", "Transfer-Encoding: chunked")}${chunks.join("")}0\r\n\r\n`;
}

const sizes: readonly Size[] = [
  {
    name: "maxRequestLineLength",
    limits: { maxRequestLineLength: 100 },
    within: line(100),
    over: line(101),
    status: 414,
    limit: "maxRequestLineLength",
  },
  {
    name: "maxRequestHeaders",
    limits: { maxRequestHeaders: 5 },
    within: headers(5),
    over: headers(6),
    status: 431,
    limit: "maxRequestHeaders",
  },
  {
    name: "maxRequestHeaders, at its default",
    limits: {},
    within: headers(100),
    over: headers(101),
    status: 431,
    limit: "maxRequestHeaders",
  },
  {
    name: "maxRequestHeaders, many times over",
    limits: { maxRequestHeaders: 5 },
    within: headers(5),
    over: headers(1500),
    status: 431,
    limit: "maxRequestHeaders",
  },
  {
    name: "maxRequestHeaderLength",
    limits: { maxRequestHeaderLength: 100 },
    within: header(100),
    over: header(101),
    status: 431,
    limit: "maxRequestHeaderLength",
  },
  {
    name: "maxRequestBodyLength by Content-Length",
    limits: { maxRequestBodyLength: 100 },
    within: body(100),
    over: body(101),
    status: 413,
    limit: "maxRequestBodyLength",
  },
  {
    name: "maxRequestBodyLength by Content-Length, before any of it has come",
    limits: { maxRequestBodyLength: 100 },
    within: body(0),
    over: post("/", "Content-Length: 101"),
    status: 413,
    limit: "maxRequestBodyLength",
  },
  {
    name: "maxRequestBodyLength by Content-Length, of a client that asks whether to go on",
    limits: { maxRequestBodyLength: 100 },
    within: body(100),
    over: post("/", "Expect: 100-continue", "Content-Length: 101"),
    status: 413,
    limit: "maxRequestBodyLength",
  },
  {
    name: "maxRequestBodyLength of a chunked body, by counting",
    limits: { maxRequestBodyLength: 100 },
    within: chunkedBody(60, 40),
    over: chunkedBody(60, 41),
    status: 413,
    limit: "maxRequestBodyLength",
    isBegun: true,
  },
];

/** Answers with the length of what has come, when it has come. */
const measure: RequestListener = (request, response) => {
  let length = 0;
  request.on("error", () => {}).on("data", (chunk: Buffer) => (length += chunk.length));
  request.on("end", () => response.end(`${length} bytes`));
};

for (const protocol of webProtocols) {
  for (const { name, limits, within, over, status, limit, isBegun = false } of sizes) {
    test(`${protocol}: ${name}: within it is served, over it is refused with ${status}`, async (t) => {
      const scene = await startScene(t, protocol, measure, limits);
      const good = await scene.dial();
      good.write(within);
      await good.gets(/ bytes$/);
      assert.equal(answers(good.received)[0]?.status, 200);
      await scene.reaches("idle");
      assert.equal(scene.only().closeReason, null, "and kept");
      good.end();
      await until(() => scene.server.connections.size === 0);
      scene.endings();
      const bad = await scene.dial();
      bad.write(over);
      await seesEnd(scene, bad, "FIN");
      // Of what is refused before the handler is called Node writes the answer, with a length and a date.
      const wanted = isBegun ? refusalOf(status) : refusalOf(status).replace("\r\n", "\r\nContent-Length: 0\r\n");
      assert.equal((await bad.all()).replace(/^Date: .*\r\n/m, ""), wanted);
      assert.equal(scene.clock.now(), 0, "at once");
      assert.equal(await bad.ended, "FIN");
      bad.end();
      await until(() => scene.endings().length === 2);
      assert.deepEqual(scene.endings(), ["client-ended by null while idle", `limit by ${limit} while handling`]);
      assert.deepEqual(scene.errors, []);
    });
  }

  for (const type of [
    "multipart/form-data; boundary=x",
    "multipart/mixed",
    "application/grpc",
    "application/grpc+proto",
  ]) {
    test(`${protocol}: maxRequestBodyLength is not about ${type}`, async (t) => {
      const scene = await startScene(t, protocol, measure, { maxRequestBodyLength: 100 });
      const client = await scene.dial();
      client.write(body(5000, `Content-Type: ${type}`));
      await client.gets(/5000 bytes$/);
    });
  }

  test(`${protocol}: maxRequestsPerConnection: the last answer says close, and then the connection ends`, async (t) => {
    const scene = await startScene(t, protocol, measure, { maxRequestsPerConnection: 3 });
    const client = await scene.dial();
    for (let i = 1; i <= 3; i++) {
      client.write(get("/"));
      await until(() => client.received.split("0 bytes").length > i);
    }
    await seesEnd(scene, client, "FIN");
    assert.deepEqual(
      answers(await client.all()).map(({ head }) => /^Connection: close\r$/m.test(head)),
      [false, false, true],
    );
    await endsAs(scene, client, "limit by maxRequestsPerConnection while handling");
  });

  test(`${protocol}: maxRequestsPerConnection: of more that came together just as many are answered`, async (t) => {
    const scene = await startScene(t, protocol, measure, { maxRequestsPerConnection: 3 });
    const client = await scene.dial();
    client.write(get("/").repeat(5));
    const got = answers(await client.all());
    assert.deepEqual(
      got.map(({ status, head }) => [status, /^Connection: close\r$/m.test(head)]),
      [
        [200, false],
        [200, false],
        [200, true],
      ],
    );
    await endsAs(scene, client, "limit by maxRequestsPerConnection while handling");
  });

  for (const [what, fault, status] of [
    ["too long a line", line(101), 414],
    ["too many headers", headers(6), 431],
    ["too long a body", body(101), 413],
  ] as const) {
    test(`${protocol}: ${what} behind a good request is refused after the answer to that one`, async (t) => {
      const waiting: ServerResponse[] = [];
      const scene = await startScene(t, protocol, (_request, response) => void waiting.push(response), {
        maxRequestLineLength: 100,
        maxRequestHeaders: 5,
        maxRequestBodyLength: 100,
      });
      const client = await scene.dial();
      client.write(get("/good") + fault);
      await until(() => waiting.length === 1);
      await scene.pass(100);
      assert.equal(client.received, "", "the answers keep their order");
      waiting[0]?.end("good");
      const got = answers(await client.all());
      assert.deepEqual(
        got.map((answer) => [answer.status, answer.body]),
        [
          [200, "good"],
          [status, ""],
        ],
      );
      client.end();
      await until(() => scene.endings().length === 1);
      assert.match(scene.endings()[0] ?? "", /^limit by maxRequest/);
    });
  }

  for (const [what, fault, expected, ending] of [
    ["what is no HTTP", "\x01\x02 nonsense\r\n\r\n", ["200 good"], /^protocol-error/],
    ["a chunked body that is too long", chunkedBody(60, 41), ["200 good", "413 "], /^limit by maxRequestBodyLength/],
  ] as const) {
    test(`${protocol}: a good request that ${what} came behind is answered first`, async (t) => {
      const waiting: ServerResponse[] = [];
      const scene = await startScene(
        t,
        protocol,
        (request, response) => {
          request.on("error", () => {}).resume();
          waiting.push(response);
        },
        { maxRequestBodyLength: 100 },
      );
      const client = await scene.dial();
      client.write(get("/good") + fault);
      await until(() => waiting.length >= 1);
      await scene.pass(100);
      waiting[0]?.end("good");
      const got = answers(await client.all());
      assert.deepEqual(
        got.map(({ status, body }) => `${status} ${body}`),
        expected,
      );
      client.end();
      await until(() => scene.endings().length === 1);
      assert.match(scene.endings()[0] ?? "", ending);
    });
  }
}
