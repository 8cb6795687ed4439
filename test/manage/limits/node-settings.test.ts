/**
 * One clock a server: what the program made stricter on its server stays as strict, whether by node:http's own hand or by
 * ours; what it left at its default is replaced by the limits.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import { manage } from "../../../src/index.ts";
import { connectTo } from "../../support/tcp-client.ts";
import type { TcpClient } from "../../support/tcp-client.ts";
import { answers, get, settle, startWeb, until } from "../../protocols/http1/web.ts";
import type { Web } from "../../protocols/http1/web.ts";

type Settings = Partial<Pick<Server, "headersTimeout" | "keepAliveTimeout" | "maxHeadersCount" | "requestTimeout">>;

function server(settings: Settings): Server {
  const made = createServer((request, response) => {
    request.resume().on("end", () => response.end("ok"));
  });
  return Object.assign(made, settings);
}

async function onlyConnection({ server: { connections } }: Web): Promise<void> {
  await until(() => connections.size === 1);
}

/** The end that a client with half a head comes to, and when. */
async function halfAHead(web: Web, client: TcpClient): Promise<number> {
  await onlyConnection(web);
  const [connection] = web.server.connections;
  client.write("GET / HTTP/1.1\r\nHos");
  await until(() => connection?.bytesReceived === 19);
  const start = web.clock.now();
  while (connection?.closeReason === null) {
    web.clock.advance(10);
    await settle();
  }
  assert.equal(answers(await client.all())[0]?.status, 408);
  assert.equal(connection?.closeReason, "read-timeout");
  return web.clock.now() - start;
}

/** When a kept-alive connection that goes quiet is ended. */
async function quiet(web: Web, client: TcpClient): Promise<number> {
  client.write(get("/"));
  await client.gets(/ok$/);
  const [connection] = web.server.connections;
  await until(() => connection?.phase === "idle");
  const start = web.clock.now();
  while (connection?.closeReason === null) {
    web.clock.advance(10);
    await settle();
  }
  assert.equal(connection?.closeReason, "idle-timeout");
  return web.clock.now() - start;
}

const heads: readonly [name: string, settings: Settings, limits: SafetyLimitsOptions, after: number][] = [
  ["a stricter headersTimeout of the program stays", { headersTimeout: 500 }, { requestReadTimeout: "2s" }, 500],
  ["a laxer headersTimeout of the program does not", { headersTimeout: 5000 }, { requestReadTimeout: "2s" }, 2000],
  ["headersTimeout at its default is replaced", {}, { requestReadTimeout: "2s" }, 2000],
];

for (const [name, settings, limits, after] of heads) {
  test(`${name}: half a head gets 408 after ${after} ms`, async (t) => {
    const web = await startWeb(t, server(settings), limits);
    const took = await halfAHead(web, await web.connect());
    assert.ok(took >= after && took <= after + 10, `${took} ms`);
  });
}

const idles: readonly [name: string, settings: Settings, limits: SafetyLimitsOptions, after: number][] = [
  ["a stricter keepAliveTimeout of the program stays", { keepAliveTimeout: 700 }, { idleTimeout: "2s" }, 700],
  ["a laxer keepAliveTimeout of the program does not", { keepAliveTimeout: 10_000 }, { idleTimeout: "2s" }, 2000],
  ["keepAliveTimeout at its default of 5 s is replaced", {}, { idleTimeout: "9s" }, 9000],
];

for (const [name, settings, limits, after] of idles) {
  test(`${name}: an idle connection ends after ${after} ms, and clients are told so`, async (t) => {
    const web = await startWeb(t, server(settings), limits);
    const client = await web.connect();
    const took = await quiet(web, client);
    assert.ok(took >= after && took <= after + 10, `${took} ms`);
    assert.match(client.received, new RegExp(`^Keep-Alive: timeout=${Math.floor(after / 1000)}\r$`, "m"));
    assert.equal(await client.ended, "FIN");
  });
}

for (const [name, settings, allowed] of [
  ["a stricter maxHeadersCount of the program is a limit that refuses", { maxHeadersCount: 10 }, 10],
  ["a laxer maxHeadersCount of the program is not in force", { maxHeadersCount: 1000 }, 20],
  ["maxHeadersCount at its default is replaced", {}, 20],
] as const) {
  test(`${name}: ${allowed} headers are served, one more is refused, none is dropped`, async (t) => {
    const web = await startWeb(t, server(settings), { maxRequestHeaders: 20 });
    const headers = (count: number): string => get("/", ...Array.from({ length: count - 1 }, (_, i) => `h${i}: v`));
    const [good, bad] = [await web.connect(), await web.connect()];
    good.write(headers(allowed));
    await good.gets(/ok$/);
    bad.write(headers(allowed + 1));
    assert.equal(answers(await bad.all())[0]?.status, 431);
  });
}

test("a head that breaks none of small limits is served: they do not lower Node's own ceiling", async (t) => {
  const web = await startWeb(t, server({}), { maxRequestLineLength: 100, maxRequestHeaderLength: 100 });
  const client = await web.connect();
  client.write(get("/", ...Array.from({ length: 50 }, (_, i) => `h${i}: ${"v".repeat(80)}`)));
  await client.gets(/200 OK[^]*ok$/);
});

test("a server's own `timeout` goes on as the program set it", async (t) => {
  const silent: number[] = [];
  const http = server({});
  const managed = manage(http.setTimeout(150, (socket) => silent.push(socket.remotePort ?? 0) && socket.destroy()));
  await once(http.listen(0, "127.0.0.1"), "listening");
  t.after(() => managed.close());
  const client = await connectTo(t, (http.address() as AddressInfo).port);
  assert.equal(await client.all(), "");
  assert.deepEqual(silent, [client.socket.localPort]);
});

for (const idleTimeout of ["9s", Infinity]) {
  test(`a timeout that the program set on a response ends neither the wait for the next request nor that: idleTimeout ${idleTimeout}`, async (t) => {
    const timeouts: number[] = [];
    const http = createServer((request, response) => {
      timeouts.push(request.socket.timeout ?? 0);
      response.setTimeout(60_000).end("ok");
    });
    const web = await startWeb(t, http, { idleTimeout });
    const client = await web.connect();
    const [connection] = web.server.connections;
    for (let i = 0; i < 5; i++) {
      client.received = "";
      client.write(get("/"));
      await client.gets(/ok$/);
      await until(() => connection?.phase === "idle");
      assert.ok(connection?.input instanceof Socket);
      assert.equal(connection.input.timeout, 0);
    }
    assert.deepEqual(timeouts, [0, 0, 0, 0, 0]);
  });
}

test("a requestTimeout of the program goes on; at its default of 5 min it is off", async (t) => {
  const http = createServer(
    { connectionsCheckingInterval: 30, requestTimeout: 100, headersTimeout: 100 },
    (request) => {
      request.on("error", () => {}).resume();
    },
  );
  const managed = manage(http);
  await once(http.listen(0, "127.0.0.1"), "listening");
  t.after(() => managed.close());
  const client = await connectTo(t, (http.address() as AddressInfo).port);
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  assert.match(await client.all(), /^HTTP\/1\.1 408 /);
  const plain = server({});
  assert.equal(plain.requestTimeout, 300_000);
  const other = manage(plain.listen(0, "127.0.0.1"));
  assert.equal(plain.requestTimeout, 0);
  other.detach();
  assert.equal(plain.requestTimeout, 300_000, "and the program's again");
  plain.close();
});
