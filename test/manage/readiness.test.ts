import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { ArgumentTypeError, healthHandler, manage } from "../../src/index.ts";
import type { HealthHandler, Managed } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { connectTo } from "../support/tcp-client.ts";

async function listening(t: TestContext, server: Server): Promise<number> {
  t.after(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

/** One request, and what comes back on a connection that stays. */
async function ask(t: TestContext, port: number, line: string): Promise<string> {
  const client = await connectTo(t, port);
  client.write(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const answer = await client.all();
  client.end();
  return answer;
}

test("a plain handler of node:http: /livez and /readyz are answered, and everything else is the app's", async (t) => {
  const server = createServer((request, response) => {
    if (!health(request, response)) response.end("app");
  });
  const managed = manage(server);
  const health = healthHandler(managed);
  const port = await listening(t, server);
  for (const line of ["GET /livez", "GET /readyz", "GET /readyz?verbose=1"]) {
    assert.match(await ask(t, port, line), /^HTTP\/1\.1 200 [^]*Cache-Control: no-store\r\n[^]*\r\n\r\nok\n$/);
  }
  assert.match(await ask(t, port, "HEAD /readyz"), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
  for (const line of ["POST /readyz", "GET /readyz/", "GET /", "GET /x?/livez"]) {
    assert.match(await ask(t, port, line), /\r\n\r\napp$/, line);
  }
});

test("readiness says no from the first moment of a drain, while its delay still serves everybody; liveness says yes", async (t) => {
  const clock = new ManualClock();
  const server = createServer((request, response) => {
    if (!health(request, response)) response.end("app");
  });
  const managed = manage(server, { clock });
  const health: HealthHandler = healthHandler(managed, { livez: "/alive", readyz: "/ready" });
  const port = await listening(t, server);
  const drained = managed.drain({ delay: "5s" });
  assert.match(await ask(t, port, "GET /ready"), /^HTTP\/1\.1 503 [^]*draining\n$/);
  assert.match(await ask(t, port, "GET /alive"), /^HTTP\/1\.1 200 /);
  assert.match(await ask(t, port, "GET /readyz"), /\r\n\r\napp$/);
  assert.equal(server.listening, true);
  clock.advance(5000);
  await drained;
  assert.equal(server.listening, false);
});

test("the delay of a drain is over at once when there is nothing left to drain", async (t) => {
  const clock = new ManualClock();
  const start = async (): Promise<Managed> => {
    const server = createServer();
    const managed = manage(server, { clock });
    await listening(t, server);
    return managed;
  };
  const detached = await start();
  const drained = detached.drain({ delay: "5s" });
  detached.detach();
  assert.deepEqual((await drained).cut, []);
  const detachedBefore = await start();
  detachedBefore.detach();
  assert.deepEqual((await detachedBefore.drain({ delay: "5s" })).cut, []);
  const closed = await start();
  await closed.close();
  assert.deepEqual((await closed.drain({ delay: "5s" })).cut, []);
});

test("as a middleware it hands on what is not its own", async (t) => {
  const server = createServer((request, response) => health(request, response, () => response.end("next")));
  manage(server);
  // A server stands for whatever manages it.
  const health = healthHandler(server);
  const port = await listening(t, server);
  assert.match(await ask(t, port, "GET /readyz"), /^HTTP\/1\.1 200 /);
  assert.match(await ask(t, port, "GET /"), /\r\n\r\nnext$/);
});

test("a server that nobody manages is ready while it listens", async (t) => {
  const server = createServer((request, response) => {
    if (request.headers["x-first"] === "close") server.close();
    health(request, response);
  });
  const health = healthHandler(server);
  const port = await listening(t, server);
  assert.match(await ask(t, port, "GET /readyz"), /^HTTP\/1\.1 200 /);
  const client = await connectTo(t, port);
  client.write("GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-First: close\r\n\r\n");
  assert.match(await client.all(), /^HTTP\/1\.1 503 /);
});

test("what is no server, and what is no path, is refused", () => {
  assert.throws(() => healthHandler({} as Server), ArgumentTypeError);
  assert.throws(
    () => healthHandler(createServer(), { readyz: "readyz" }),
    /options\.readyz: expected a path that begins/,
  );
  assert.throws(
    () => healthHandler(createServer(), { livez: "/x", readyz: "/x" }),
    /options\.readyz: expected another path than that of livez/,
  );
  assert.throws(() => healthHandler(createServer(), { ready: "/x" } as object), ArgumentTypeError);
});
