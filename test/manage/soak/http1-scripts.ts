/** Clients of HTTP/1.1: good, slow and rude. */
import assert from "node:assert/strict";
import { TcpClient } from "../../support/tcp-client.ts";
import type { CloseReason, SafetyLimitName } from "../../../src/index.ts";
import { staysDeaf } from "./script.ts";
import type { Script, Visit } from "./script.ts";

const web = ["http", "https"] as const;

const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const post = (length: number, more = ""): string =>
  `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n${more}\r\n`;
const oks = (count: number): RegExp => new RegExp(`^(HTTP/1\\.1 200 OK\r\n[^]*?\r\n\r\nok){${count}}$`);

/** The client says something, and is answered with a status and FIN; or with FIN alone. */
function seesStatus(words: string, status: number | null) {
  return async ({ socket }: Visit): Promise<void> => {
    const client = new TcpClient(socket).write(words);
    assert.equal(await client.ended, "FIN");
    if (status === null) assert.equal(client.received, "");
    else assert.match(client.received, new RegExp(`^HTTP/1\\.1 ${status} [^]*Connection: close`));
  };
}

function refused(name: string, words: string, status: number, reason: CloseReason, limit?: SafetyLimitName): Script {
  return { name, protocols: web, reason, ...(limit && { limit }), play: seesStatus(words, status) };
}

const good: Script[] = [
  {
    name: "asks three times, then FIN",
    protocols: web,
    reason: "client-ended",
    play: async ({ socket }) => {
      const client = new TcpClient(socket);
      for (let asked = 1; asked <= 3; asked++) await client.write(get("/")).gets(oks(asked));
    },
  },
  {
    name: "asks three times at once, then FIN",
    protocols: web,
    reason: "client-ended",
    play: ({ socket }) => new TcpClient(socket).write(get("/").repeat(3)).gets(oks(3)),
  },
  {
    name: "asks, says FIN and is answered then",
    protocols: web,
    reason: "completed",
    play: async ({ socket }) => {
      const client = new TcpClient(socket).write(get("/after-fin")).end();
      assert.match(await client.all(), oks(1));
    },
  },
  {
    name: "asks to close",
    protocols: web,
    reason: "completed",
    play: async ({ socket }) => {
      const client = new TcpClient(socket).write(get("/", "Connection: close\r\n"));
      assert.equal(await client.ended, "FIN");
      assert.match(client.received, oks(1));
    },
  },
  {
    name: "uploads",
    protocols: web,
    reason: "client-ended",
    play: ({ socket }) =>
      new TcpClient(socket)
        .write(post(300_000))
        .write(Buffer.alloc(300_000))
        .gets(/\r\n\r\n300000 bytes$/),
  },
  {
    name: "uploads slowly",
    protocols: web,
    reason: "client-ended",
    play: async ({ socket }) => {
      const client = new TcpClient(socket).write(post(5, "Expect: 100-continue\r\n"));
      await client.gets(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
      for (let sent = 0; sent < 5; sent++) {
        await new Promise((resolve) => setTimeout(resolve, 60));
        client.write(".");
      }
      await client.gets(/\r\n\r\n5 bytes$/);
    },
  },
];

const rude: Script[] = [
  {
    name: "resets in the middle of a request",
    protocols: web,
    reason: "client-reset",
    play: async ({ socket, reset }) => {
      // The answer shows that the request was read: a reset right behind it would look like FIN to Node.
      await new TcpClient(socket).write(post(1000, "Expect: 100-continue\r\n")).gets(/^HTTP\/1\.1 100 /);
      await reset();
    },
  },
  {
    name: "leaves in the middle of a request",
    protocols: web,
    reason: "client-ended",
    play: async ({ socket }) => {
      const client = new TcpClient(socket);
      await client.write(get("/")).gets(oks(1));
      await client.write(post(1000)).end().ended;
    },
  },
  refused("sends garbage", "garbage\r\n\r\n", 400, "protocol-error"),
  refused("asks with too long a line", get(`/${"x".repeat(9000)}`), 414, "limit", "maxRequestLineLength"),
  refused(
    "asks with too many headers",
    get("/", Array.from({ length: 120 }, (_, i) => `x-${i}: y\r\n`).join("")),
    431,
    "limit",
    "maxRequestHeaders",
  ),
  refused(
    "asks with too long a header",
    get("/", `x: ${"y".repeat(9000)}\r\n`),
    431,
    "limit",
    "maxRequestHeaderLength",
  ),
  refused("announces too large a body", post(2 ** 21), 413, "limit", "maxRequestBodyLength"),
  refused(
    "sends too large a body",
    `POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${`1000\r\n${"x".repeat(4096)}\r\n`.repeat(264)}`,
    413,
    "limit",
    "maxRequestBodyLength",
  ),
  { ...refused("makes the handler throw", get("/throw"), 500, "handler-error"), errors: 1 },
];

const slow: Script[] = [
  { name: "is silent", protocols: web, group: "reading", reason: "read-timeout", play: seesStatus("", null) },
  {
    name: "sends half a head",
    protocols: web,
    group: "reading",
    reason: "read-timeout",
    play: seesStatus("GET / HTTP/1.1\r\nHost: x\r\nX-Ha", 408),
  },
  {
    name: "sends half a body",
    protocols: web,
    group: "reading",
    reason: "read-timeout",
    play: seesStatus(`${post(1000)}half`, 408),
  },
  {
    name: "drips a body",
    protocols: web,
    group: "receiving",
    reason: "receive-rate",
    play: async ({ socket }) => {
      // The beginning is worth an hour: it is the rate of what follows that is too low.
      const client = new TcpClient(socket).write(post(1_000_000)).write(Buffer.alloc(900_000));
      const dripping = setInterval(() => client.write("."), 100);
      await client.ended.finally(() => clearInterval(dripping));
      assert.match(client.received, /^HTTP\/1\.1 408 /);
    },
  },
  {
    name: "goes quiet after a request",
    protocols: web,
    group: "idle",
    reason: "idle-timeout",
    play: async ({ socket }) => {
      const client = new TcpClient(socket).write(get("/"));
      assert.equal(await client.ended, "FIN");
      assert.match(client.received, oks(1));
    },
  },
  {
    name: "is never answered",
    protocols: web,
    group: "handling",
    reason: "response-timeout",
    play: seesStatus(get("/never"), 503),
  },
  {
    name: "is answered by half",
    protocols: web,
    group: "sending",
    reason: "response-stalled",
    limit: "responseSendTimeout",
    play: async ({ socket }) => {
      const client = new TcpClient(socket).write(get("/stall"));
      assert.equal(await client.ended, "ECONNRESET");
      assert.match(client.received, /^HTTP\/1\.1 200 [^]*begun/);
    },
  },
  {
    name: "is deaf",
    protocols: web,
    group: "sending",
    reason: "send-timeout",
    heavy: true,
    play: (visit) => {
      new TcpClient(visit.socket).write(get("/big"));
      return staysDeaf(visit);
    },
  },
];

/** One request that is in flight when the drain begins, and how it is answered. */
function inFlight(name: string, path: string, answer: RegExp, drain: "finished" | "cut"): Script {
  return {
    name,
    protocols: web,
    reason: drain === "cut" ? "drain-cut" : "drained",
    drain,
    play: async ({ socket }) => {
      const client = new TcpClient(socket).write(get(path));
      await client.ended;
      assert.match(client.received, answer);
    },
  };
}

const drained: Script[] = [
  {
    name: "is idle in the drain",
    protocols: web,
    reason: "drained",
    drain: "idle",
    play: async ({ socket }) => {
      const client = new TcpClient(socket).write(get("/"));
      assert.equal(await client.ended, "FIN");
      assert.match(client.received, oks(1));
    },
  },
  inFlight("is answered in the drain", "/gate", /^HTTP\/1\.1 200 [^]*Connection: close[^]*late$/, "finished"),
  inFlight("is not answered in the drain", "/hold", /^HTTP\/1\.1 503 /, "cut"),
];

export const http1Scripts: readonly Script[] = [...good, ...rude, ...slow, ...drained];
