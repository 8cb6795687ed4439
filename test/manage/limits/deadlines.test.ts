/**
 * Limits of time that a client, or a handler, lets pass: the answer, the manner of closing, the reason with its limit and
 * phase, and when: not before the deadline, and at it.
 */
import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import type { TcpClient } from "../../support/tcp-client.ts";
import { answers, get, settle, until } from "../../protocols/http1/web.ts";
import { endsAfter, endsAs, look, refusalOf, resolution, seesEnd, startScene, webProtocols } from "./scene.ts";
import type { Scene } from "./scene.ts";

interface Deadline {
  readonly name: string;
  readonly limits: SafetyLimitsOptions;
  readonly handler?: RequestListener;
  /** Brings the connection to where the deadline counts. */
  begin(client: TcpClient, scene: Scene): Promise<void>;
  /** Milliseconds from then. */
  readonly after: number;
  /** How much later it may act. @default resolution */
  readonly slack?: number;
  /** The answer, which has no headers but one and no body, or null for a silent end. */
  readonly status: number | null;
  readonly ending: string;
}

const answerOk: RequestListener = (_request, response) => response.end("ok");
const readBody: RequestListener = (request, response) => {
  request.on("error", () => {}).resume();
  request.on("end", () => response.end("ok"));
};
const post = (path: string, ...headers: string[]): string => get(path, ...headers).replace("GET", "POST");

/** Waits until all of `text` has come to the server, beyond what had. */
async function send(client: TcpClient, scene: Scene, text: string): Promise<void> {
  await until(() => scene.server.connections.size === 1);
  const connection = scene.only();
  await until(() => connection.phase !== "handshaking");
  const before = connection.bytesReceived;
  client.write(text);
  await until(() => connection.bytesReceived >= before + text.length);
}

async function sendWhole(client: TcpClient, scene: Scene, text: string): Promise<void> {
  client.write(text);
  await scene.reaches("handling");
}

/** Is answered once and stays, as if nothing had been received yet. */
async function goIdle(client: TcpClient, scene: Scene): Promise<void> {
  client.write(get("/"));
  await client.gets(/ok$/);
  await scene.reaches("idle");
  client.received = "";
}

const deadlines: readonly Deadline[] = [
  {
    name: "requestReadTimeout: a silent client is closed without a word",
    limits: { requestReadTimeout: "2s" },
    begin: async (_client, scene) => scene.reaches("idle"),
    after: 2000,
    status: null,
    ending: "read-timeout by requestReadTimeout while idle",
  },
  {
    name: "requestReadTimeout: half a head, 408",
    limits: { requestReadTimeout: "2s" },
    begin: (client, scene) => send(client, scene, "GET / HTTP/1.1\r\nHos"),
    after: 2000,
    status: 408,
    ending: "read-timeout by requestReadTimeout while reading",
  },
  {
    name: "requestReadTimeout: half the head of a further request, 408, from when it began",
    limits: { requestReadTimeout: "2s" },
    async begin(client, scene) {
      await goIdle(client, scene);
      await scene.pass(5000);
      await send(client, scene, "GET / HTTP/1.1\r\nHos");
    },
    after: 2000,
    slack: look,
    status: 408,
    ending: "read-timeout by requestReadTimeout while reading",
  },
  {
    name: "requestReadTimeout: a body that stalls, 408, a second later for each minReceiveRate bytes that came",
    limits: { requestReadTimeout: "2s", minReceiveRate: { bytesPerSecond: 100, grace: "1h" } },
    handler: readBody,
    begin: (client, scene) => sendWhole(client, scene, `${post("/", "Content-Length: 1000")}${"x".repeat(50)}`),
    after: 2500,
    status: 408,
    ending: "read-timeout by requestReadTimeout while handling",
  },
  {
    name: "requestReadTimeout: a chunked body that stalls, 408",
    limits: { requestReadTimeout: "2s", minReceiveRate: { bytesPerSecond: 100, grace: "1h" } },
    handler: readBody,
    begin: (client, scene) =>
      sendWhole(client, scene, `${post("/", "Transfer-Encoding: chunked")}32\r\n${"x".repeat(50)}\r\n`),
    after: 2500,
    status: 408,
    ending: "read-timeout by requestReadTimeout while handling",
  },
  {
    name: "idleTimeout: closed without a word",
    limits: { idleTimeout: "2s" },
    begin: goIdle,
    after: 2000,
    status: null,
    ending: "idle-timeout by idleTimeout while idle",
  },
  {
    name: "responseTimeout: 503 where nothing was sent",
    limits: { responseTimeout: "2s" },
    handler: () => {},
    begin: (client, scene) => sendWhole(client, scene, get("/")),
    after: 2000,
    status: 503,
    ending: "response-timeout by responseTimeout while handling",
  },
  {
    name: "responseTimeout: from the last of a body, not from the head",
    limits: { responseTimeout: "2s" },
    handler: (request) => void request.resume(),
    async begin(client, scene) {
      await sendWhole(client, scene, post("/", "Content-Length: 4"));
      await scene.pass(1500);
      await send(client, scene, "body");
      await settle();
    },
    after: 2000,
    status: 503,
    ending: "response-timeout by responseTimeout while handling",
  },
  {
    name: "maxConnectionAge: closed without a word while idle",
    limits: { maxConnectionAge: "10s" },
    begin: goIdle,
    // Jittered by a tenth.
    after: 9000,
    slack: 2000 + look,
    status: null,
    ending: "max-age by maxConnectionAge while idle",
  },
];

for (const protocol of webProtocols) {
  for (const { name, limits, handler, begin, after, slack, status, ending } of deadlines) {
    test(`${protocol}: ${name}`, async (t) => {
      const scene = await startScene(t, protocol, handler ?? answerOk, limits);
      const client = await scene.dial();
      await begin(client, scene);
      const connection = scene.only();
      await endsAfter(scene, connection, after, slack ?? resolution);
      await seesEnd(scene, client, "FIN");
      assert.equal(await client.all(), status === null ? "" : refusalOf(status));
      assert.equal(await client.ended, "FIN");
      await endsAs(scene, client, ending);
    });
  }

  test(`${protocol}: maxConnectionAge lets the response in flight finish, which says close`, async (t) => {
    let finish = (): void => {};
    const scene = await startScene(t, protocol, (_request, response) => void (finish = () => response.end("late")), {
      maxConnectionAge: "10s",
    });
    const client = await scene.dial();
    client.write(get("/"));
    await scene.reaches("handling");
    await scene.pass(20_000);
    assert.equal(scene.only().closeReason, null);
    finish();
    assert.match(await client.all(), /^Connection: close\r$[^]*late$/m);
    await endsAs(scene, client, "max-age by maxConnectionAge while handling");
  });

  test(`${protocol}: what comes a moment before its deadline is served`, async (t) => {
    const scene = await startScene(t, protocol, readBody, {
      requestReadTimeout: "2s",
      idleTimeout: "3s",
      minReceiveRate: { bytesPerSecond: 100, grace: "1h" },
    });
    const client = await scene.dial();
    await send(client, scene, "POST / HTTP/1.1\r\nHost: x\r\n");
    await scene.pass(1999);
    client.write("Content-Length: 100\r\n\r\n");
    await scene.reaches("handling");
    await scene.pass(1999);
    client.write("x".repeat(100));
    await client.gets(/ok$/);
    await scene.reaches("idle");
    await scene.pass(2999);
    client.write(get("/"));
    await client.gets(/ok[^]*ok$/);
    assert.equal(scene.only().closeReason, null);
  });

  test(`${protocol}: lingerTimeout: a client that says no FIN after its last answer is let go then`, async (t) => {
    const scene = await startScene(t, protocol, answerOk, { requestReadTimeout: "2s", lingerTimeout: "3s" });
    const client = await scene.dial();
    await send(client, scene, "GET / HTTP/1.1\r\nHos");
    const connection = scene.only();
    await endsAfter(scene, connection, 2000, resolution);
    await seesEnd(scene, client, "FIN");
    await scene.pass(2900);
    assert.equal(connection.phase, "draining", "it still reads and throws away");
    await scene.pass(150);
    await until(() => connection.phase === "closed");
    assert.equal(answers(client.received)[0]?.status, 408);
  });
}
