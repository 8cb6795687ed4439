/**
 * Limits that only observe, on HTTP/1.1: nothing is cut, refused or told to the client, who gets what a bare server gives; and
 * each thing that would have been cut is published, once, with its limit.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import { TcpClient, connectTo } from "../../support/tcp-client.ts";
import { answers, get, settle, startWeb, until } from "../../protocols/http1/web.ts";
import { deafClients, off } from "./deaf-clients.ts";
import { look, startScene, webProtocols } from "./scene.ts";
import type { Scene } from "./scene.ts";

interface Observed {
  readonly name: string;
  readonly limits: SafetyLimitsOptions;
  readonly handler?: RequestListener;
  /** Breaks the limit, much later than it would have cut, and goes on until the answer has come. */
  act(client: TcpClient, scene: Scene): Promise<unknown>;
  /** The answers, and what would have been cut. */
  readonly bodies: readonly string[];
  readonly spared: readonly string[];
}

const post = (...headers: string[]): string => get("/", ...headers).replace("GET", "POST");
const slowly = { bytesPerSecond: 100, grace: "1h" };

/** Answers with the length of what has come, when it has come. */
const measure: RequestListener = (request, response) => {
  let length = 0;
  request.on("data", (chunk: Buffer) => (length += chunk.length));
  request.on("end", () => response.end(`${length} bytes`));
};

/** Answers what waits for it. */
const waiting: (() => void)[] = [];
const wait: RequestListener = (request, response) => {
  request.resume();
  waiting.push(() => response.end("late"));
};

/** Looks, and much more time than any limit grants. */
async function passMinutes(scene: Scene): Promise<void> {
  for (let i = 0; i < 4; i++) await scene.pass(look);
  for (let minute = 0; minute < 5; minute++) await scene.pass(60_000);
}

async function says(client: TcpClient, scene: Scene, text: string): Promise<void> {
  await until(() => scene.server.connections.size === 1 && scene.only().phase !== "handshaking");
  const connection = scene.only();
  const before = connection.bytesReceived;
  client.write(text);
  await until(() => connection.bytesReceived >= before + text.length);
  await settle();
}

/** Says `first`, lets time pass, and then says the rest. */
const withPause =
  (first: string, rest: string): Observed["act"] =>
  async (client, scene) => {
    await says(client, scene, first);
    await passMinutes(scene);
    client.write(rest);
    await client.gets(/ bytes$/);
  };

/** Asks, and is answered after minutes, so often. */
const slowAnswers =
  (count: number, begin: string): Observed["act"] =>
  async (client, scene) => {
    for (let i = 1; i <= count; i++) {
      await says(client, scene, begin);
      await passMinutes(scene);
      waiting.shift()?.();
      await until(() => client.received.split("late").length > i);
      await scene.reaches("idle");
    }
  };

const asks =
  (...requests: string[]): Observed["act"] =>
  async (client) => {
    for (const [i, request] of requests.entries()) {
      client.write(request);
      await until(() => client.received.split(/ bytes(?=HTTP|$)/).length > i + 1);
    }
  };

const manyHeaders = get("/", ...Array.from({ length: 10 }, (_, i) => `h${i}: v`));
const chunks = `${post("Transfer-Encoding: chunked")}${"32\r\n".concat("x".repeat(50), "\r\n").repeat(4)}0\r\n\r\n`;

const limited: readonly Observed[] = [
  {
    name: "requestReadTimeout: a client that is silent before it asks",
    limits: { requestReadTimeout: "2s" },
    act: withPause("", get("/")),
    bodies: ["0 bytes"],
    spared: ["read-timeout by requestReadTimeout"],
  },
  {
    name: "requestReadTimeout: half a head",
    limits: { requestReadTimeout: "2s" },
    act: withPause("GET / HTTP/1.1\r\nHos", "t: x\r\n\r\n"),
    bodies: ["0 bytes"],
    spared: ["read-timeout by requestReadTimeout"],
  },
  {
    name: "requestReadTimeout: half a head after an answer",
    limits: { requestReadTimeout: "2s" },
    async act(client, scene) {
      await asks(get("/"))(client, scene);
      await scene.reaches("idle");
      await withPause("GET / HTTP/1.1\r\nHos", "t: x\r\n\r\n")(client, scene);
      await client.gets(/bytes[^]*bytes$/);
    },
    bodies: ["0 bytes", "0 bytes"],
    spared: ["read-timeout by requestReadTimeout"],
  },
  {
    name: "requestReadTimeout: half a body",
    limits: { requestReadTimeout: "2s", minReceiveRate: slowly },
    act: withPause(`${post("Content-Length: 100")}${"x".repeat(50)}`, "x".repeat(50)),
    bodies: ["100 bytes"],
    spared: ["read-timeout by requestReadTimeout"],
  },
  {
    name: "requestReadTimeout, then responseTimeout: half a body, and a slow handler",
    limits: { requestReadTimeout: "2s", responseTimeout: "2s", minReceiveRate: slowly },
    handler: wait,
    async act(client, scene) {
      await says(client, scene, `${post("Content-Length: 100")}${"x".repeat(50)}`);
      await passMinutes(scene);
      await slowAnswers(1, "x".repeat(50))(client, scene);
    },
    bodies: ["late"],
    spared: ["read-timeout by requestReadTimeout", "response-timeout by responseTimeout"],
  },
  {
    name: "minReceiveRate: half a body",
    limits: { requestReadTimeout: "1h", minReceiveRate: { bytesPerSecond: 100, grace: "3s" } },
    act: withPause(`${post("Content-Length: 100")}${"x".repeat(50)}`, "x".repeat(50)),
    bodies: ["100 bytes"],
    spared: ["receive-rate by minReceiveRate"],
  },
  {
    name: "idleTimeout: each time that it goes quiet",
    limits: { idleTimeout: "2s" },
    async act(client, scene) {
      for (let i = 1; i <= 3; i++) {
        client.write(get("/"));
        await until(() => client.received.split("0 bytes").length > i);
        await scene.reaches("idle");
        if (i < 3) await passMinutes(scene);
      }
    },
    bodies: ["0 bytes", "0 bytes", "0 bytes"],
    spared: ["idle-timeout by idleTimeout", "idle-timeout by idleTimeout"],
  },
  {
    name: "responseTimeout: each of three slow requests",
    limits: { responseTimeout: "2s" },
    handler: wait,
    act: slowAnswers(3, get("/")),
    bodies: ["late", "late", "late"],
    spared: Array.from({ length: 3 }, () => "response-timeout by responseTimeout"),
  },
  {
    name: "responseTimeout: each of two slow requests with bodies",
    limits: { responseTimeout: "2s" },
    handler: wait,
    act: slowAnswers(2, `${post("Content-Length: 4")}body`),
    bodies: ["late", "late"],
    spared: Array.from({ length: 2 }, () => "response-timeout by responseTimeout"),
  },
  {
    name: "responseSendTimeout: a handler that falls silent",
    limits: { ...off, responseSendTimeout: "4s" },
    handler(_request, response) {
      response.setHeader("Content-Length", 10).write("begun");
      waiting.push(() => response.end("ended"));
    },
    async act(client, scene) {
      client.write(get("/"));
      await client.gets(/begun$/);
      for (let i = 0; i < 100; i++) await scene.pass(look);
      waiting.shift()?.();
      await client.gets(/ended$/);
    },
    bodies: ["begunended"],
    spared: ["response-stalled by responseSendTimeout"],
  },
  {
    name: "maxConnectionAge",
    limits: { maxConnectionAge: "10s" },
    async act(client, scene) {
      await asks(get("/"))(client, scene);
      await scene.reaches("idle");
      await passMinutes(scene);
      await asks(get("/"))(client, scene);
      await client.gets(/bytes[^]*bytes$/);
      await passMinutes(scene);
    },
    bodies: ["0 bytes", "0 bytes"],
    spared: ["max-age by maxConnectionAge", "idle-timeout by idleTimeout", "idle-timeout by idleTimeout"],
  },
  {
    name: "maxRequestsPerConnection",
    limits: { maxRequestsPerConnection: 2 },
    act: asks(...Array.from({ length: 5 }, () => get("/"))),
    bodies: Array.from({ length: 5 }, () => "0 bytes"),
    spared: ["limit by maxRequestsPerConnection"],
  },
  {
    name: "maxRequestsPerConnection: of requests that came together",
    limits: { maxRequestsPerConnection: 2 },
    async act(client) {
      client.write(get("/").repeat(5));
      await until(() => client.received.split("0 bytes").length > 5);
    },
    bodies: Array.from({ length: 5 }, () => "0 bytes"),
    spared: ["limit by maxRequestsPerConnection"],
  },
  ...(
    [
      ["maxRequestLineLength", { maxRequestLineLength: 20 }, get(`/${"a".repeat(500)}`), "0 bytes"],
      ["maxRequestHeaders", { maxRequestHeaders: 5 }, manyHeaders, "0 bytes"],
      ["maxRequestHeaderLength", { maxRequestHeaderLength: 20 }, get("/", `long: ${"a".repeat(500)}`), "0 bytes"],
      [
        "maxRequestBodyLength",
        { maxRequestBodyLength: 100 },
        `${post("Content-Length: 200")}${"x".repeat(200)}`,
        "200 bytes",
      ],
      ["maxRequestBodyLength", { maxRequestBodyLength: 100 }, chunks, "200 bytes"],
    ] as const
  ).map(([limit, limits, request, body]): Observed => ({
    name: `${limit}: each of two requests that are too large (${body})`,
    limits,
    act: asks(request, request),
    bodies: [body, body],
    spared: [`limit by ${limit}`, `limit by ${limit}`],
  })),
];

/** Answers without what differs from one to the next. */
function undated(received: string): string {
  return received.replaceAll(/^Date: .*\r\n/gm, "");
}

for (const protocol of webProtocols) {
  for (const { name, limits, handler, act, bodies, spared } of limited) {
    test(`${protocol}: ${name}: nothing is cut, and each cut is published once`, async (t) => {
      const scene = await startScene(t, protocol, handler ?? measure, limits, true);
      const client = await scene.dial();
      await act(client, scene);
      await settle();
      const got = answers(client.received);
      assert.deepEqual(
        got.map(({ status, body }) => [status, body]),
        bodies.map((body) => [200, body]),
      );
      for (const { head } of got) assert.match(head, /^Connection: keep-alive\r\nKeep-Alive: timeout=5\r$/m);
      assert.deepEqual(scene.spared(), spared);
      assert.deepEqual([scene.endings(), scene.errors], [[], []]);
      assert.equal(scene.only().closeReason, null, "and it is kept");
    });
  }

  for (const { name, limits, after, ending } of deafClients) {
    test(`${protocol}: ${name}: each of two answers that a client does not take is published once, and is taken whole in the end`, async (t) => {
      const big = Buffer.alloc(32 * 2 ** 20);
      const scene = await startScene(t, protocol, (_request, response) => response.end(big), limits, true);
      const client = await scene.dial();
      for (let round = 1; round <= 2; round++) {
        client.socket.pause();
        client.received = "";
        client.write(get("/"));
        await until(() => scene.server.connections.size === 1 && scene.only().unsentBytes > 0);
        await settle();
        // What the kernel has just taken counts for a while.
        for (let ms = 0; ms < 5 * after; ms += look) await scene.pass(look);
        assert.deepEqual(
          scene.spared(),
          Array.from({ length: round }, () => ending),
        );
        client.socket.resume();
        await until(() => client.received.length > big.length);
        await scene.reaches("idle");
      }
      assert.deepEqual([scene.endings(), scene.errors], [[], []]);
    });
  }

  test(`${protocol}: maxConcurrent, maxWaiting: who would have waited or been refused is served at once, and published`, async (t) => {
    const scene = await startScene(t, protocol, measure, { maxConcurrent: 1, maxWaiting: 2 }, true);
    const clients: TcpClient[] = [];
    for (let i = 0; i < 5; i++) {
      const client = await scene.dial();
      clients.push(client.write(get("/")));
      await client.gets(/0 bytes$/);
    }
    assert.equal(scene.server.connections.size, 5);
    const over = ["maxConcurrent", "maxConcurrent", "maxWaiting", "maxWaiting"];
    assert.deepEqual(
      scene.spared(),
      over.map((limit) => `refused by ${limit}`),
    );
    await passMinutes(scene);
    for (const client of clients) await asks(get("/"))(client, scene);
    for (const client of clients) client.end();
    await until(() => scene.server.connections.size === 0);
    const late = await scene.dial();
    late.write(get("/"));
    await late.gets(/0 bytes$/);
    assert.equal(
      scene.spared().filter((text) => text.startsWith("refused")).length,
      over.length,
      "there is room again",
    );
  });
}

test("https: handshakeTimeout: a client that takes its time is let in, and published once", async (t) => {
  const scene = await startScene(t, "https", measure, { handshakeTimeout: "2s" }, true);
  const { socket } = await connectTo(t, scene.port);
  await scene.reaches("handshaking");
  await passMinutes(scene);
  const secure = connectTls({ socket, rejectUnauthorized: false });
  t.after(() => secure.destroy());
  const client = new TcpClient(secure);
  client.write(get("/"));
  await client.gets(/0 bytes$/);
  assert.deepEqual([scene.spared(), scene.endings()], [["handshake-timeout by handshakeTimeout"], []]);
});

/** What a client of a bare server is told that says this, until the server ends or has said as much as `until` wants. */
async function bareAnswer(t: TestContext, says: string, until: RegExp): Promise<string> {
  const bare = createServer(measure);
  await new Promise<void>((resolve) => bare.listen(0, "127.0.0.1", resolve));
  t.after(() => bare.closeAllConnections());
  t.after(() => bare.close());
  const client = await connectTo(t, (bare.address() as AddressInfo).port);
  client.write(says);
  await client.gets(until);
  return undated(client.received);
}

for (const [what, said, answer] of [
  ["a head over a small limit", get("/", `long: ${"a".repeat(5000)}`), /0 bytes$/],
  ["a head over Node's own ceiling", get("/", `long: ${"a".repeat(20_000)}`), /431[^]*\r\n\r\n$/],
  // Some versions of Node drop what is too much, others refuse it.
  [
    "more headers than Node keeps",
    get("/", ...Array.from({ length: 3000 }, () => "h:")),
    /(0 bytes|Connection: close\r\n\r\n)$/,
  ],
  ["a body that a client asks about", `${post("Expect: 100-continue", "Content-Length: 3")}abc`, /3 bytes$/],
] as const) {
  test(`${what} gets from a server that only observes what a bare one says, byte for byte`, async (t) => {
    const limits = { maxRequestLineLength: 20, maxRequestHeaderLength: 100, maxRequestBodyLength: 1 };
    const web = await startWeb(t, createServer(measure), limits, true);
    const client = await web.connect();
    client.write(said);
    await client.gets(answer);
    assert.equal(undated(client.received), await bareAnswer(t, said, answer));
  });
}

test("what Node and the program have set on a server that only observes is in force, as it was", async (t) => {
  const http = createServer({ connectionsCheckingInterval: 20, headersTimeout: 100, requestTimeout: 300 }, measure);
  http.keepAliveTimeout = 50;
  const own = ["headersTimeout", "requestTimeout", "keepAliveTimeout", "maxHeadersCount", "maxHeaderSize"] as const;
  const before = own.map((name) => Reflect.get(http, name) as unknown);
  const web = await startWeb(t, http, { requestReadTimeout: "1h", idleTimeout: "1h" }, true);
  assert.deepEqual(
    own.map((name) => Reflect.get(http, name) as unknown),
    before,
  );
  const [half, idle, stalled] = [await web.connect(), await web.connect(), await web.connect()];
  half.write("GET / HTTP/1.1\r\nHos");
  idle.write(get("/"));
  stalled.write(`${post("Content-Length: 10")}half`);
  assert.match(await half.all(), /^HTTP\/1\.1 408 /);
  assert.match(await idle.all(), /0 bytes$/);
  assert.match(await stalled.all(), /^HTTP\/1\.1 408 /);
  for (const client of [half, idle, stalled]) client.end();
  await until(() => web.ends().length === 3);
  assert.deepEqual(web.ends().toSorted(), [
    "completed while idle",
    "read-timeout while handling",
    "read-timeout while reading",
  ]);
});

test("what the program ends itself ends, whatever the reason that it gives", async (t) => {
  const scene = await startScene(t, "http", measure, {}, true);
  const client = await scene.dial();
  await scene.reaches("idle");
  scene.only().kill("idle-timeout");
  assert.equal(await client.all(), "");
  client.end();
  await until(() => scene.endings().length === 1);
  assert.deepEqual(scene.endings(), ["idle-timeout by idleTimeout while idle"]);
});

test("a drain gives half a head its short chance where limits only observe, too", async (t) => {
  const scene = await startScene(t, "http", measure, { lingerTimeout: "1s" }, true);
  const client = await scene.dial();
  await says(client, scene, "GET / HTTP/1.1\r\nHos");
  const drained = scene.server.drain({ grace: "20s" });
  await scene.pass(1100);
  assert.match(await client.all(), /^HTTP\/1\.1 408 /);
  client.end();
  assert.equal((await drained).cut.length, 1);
  assert.deepEqual(scene.spared(), []);
});
