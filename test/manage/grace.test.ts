/**
 * How long a drain of servers under `manage` waits for work in flight, and what disposing of a manager does to it.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { createServer as createHttp2 } from "node:http2";
import { createServer as createNet } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { test } from "node:test";
import { custodianOf, makeCustodian, manage } from "../../src/index.ts";
import type { Duration, Managed, ManagedDrainOptions } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { dial } from "../support/clients.ts";
import { connectTo } from "../support/tcp-client.ts";
import { answers, get, settle, startWeb, until } from "../protocols/http1/web.ts";

/** How much later than its time the wheel may cut. */
const resolution = 10;

interface Row {
  readonly name: string;
  readonly limit?: Duration | null;
  readonly options?: ManagedDrainOptions;
  /** Milliseconds from the drain to the cut. */
  readonly after: number;
}

const rows: readonly Row[] = [
  { name: "25 s where nothing is set", after: 25_000 },
  { name: "25 s where the limit is null", limit: null, after: 25_000 },
  { name: "the limit, where it is shorter", limit: "3s", after: 3000 },
  { name: "the limit, where it is longer", limit: "40s", after: 40_000 },
  { name: "nothing, where the limit is 0", limit: 0, after: 0 },
  { name: "what the drain grants, not the limit", limit: "10s", options: { grace: "2s" }, after: 2000 },
  { name: "what the drain grants, not 25 s", options: { grace: "30s" }, after: 30_000 },
  { name: "what the drain grants, though the limit is 0", limit: 0, options: { grace: "1s" }, after: 1000 },
  { name: "nothing, where the drain grants 0", limit: "10s", options: { grace: 0 }, after: 0 },
  { name: "the limit, from the end of the delay", limit: "3s", options: { delay: "5s" }, after: 8000 },
];

for (const { name, limit, options, after } of rows) {
  test(`a drain waits for work in flight: ${name}`, async (t) => {
    const web = await startWeb(t, () => {}, limit === undefined ? {} : { shutdownGracePeriod: limit });
    const client = await web.connect();
    client.write(get("/"));
    await until(() => web.server.connections.countByPhase().handling === 1);
    const [connection] = web.server.connections;
    const draining = web.server.drain(options);
    const delay = Number.parseInt(String(options?.delay ?? 0), 10) * 1000;
    if (after > 0) {
      await web.pass(delay);
      await web.pass(after - delay - 1);
      assert.equal(connection?.closeReason, null, "not before its time");
      await web.pass(1 + resolution);
    }
    const report = await draining;
    assert.deepEqual(
      report.cut.map(({ reason, phase }) => `${reason} while ${phase}`),
      ["drain-cut while handling"],
    );
    assert.ok(report.duration <= after - delay + 1 + resolution, `${report.duration} ms`);
    assert.equal(answers(await client.all())[0]?.status, 503);
  });
}

for (const [name, limit, options] of [
  ["the limit", "Infinity", undefined],
  ["the drain", 0, { grace: "Infinity" }],
] as const) {
  test(`a drain waits for work in flight as long as it takes, where ${name} says so`, async (t) => {
    let finish = (): void => {};
    const web = await startWeb(t, (_request, response) => void (finish = () => response.end("at last")), {
      shutdownGracePeriod: limit,
      responseTimeout: "Infinity",
    });
    const client = await web.connect();
    client.write(get("/"));
    await until(() => web.server.connections.countByPhase().handling === 1);
    const draining = web.server.drain(options);
    for (let minute = 0; minute < 5; minute++) await web.pass(60_000);
    finish();
    assert.match(await client.all(), /at last$/);
    client.end();
    const { finished, cut } = await draining;
    assert.deepEqual({ finished, cut }, { finished: 1, cut: [] });
  });
}

/** Of each of the clients that are connected. */
const bytesHaveCome = ({ connections }: Managed): boolean =>
  [...connections].every(({ bytesReceived }) => bytesReceived > 0);

test("one limit counts for all servers that are managed together", async (t) => {
  const clock = new ManualClock();
  const servers = [createHttp(() => {}), createNet((socket) => socket.on("error", () => {}).resume())];
  const managed = manage(servers, { clock, safetyLimits: { shutdownGracePeriod: "3s" } });
  t.after(() => managed.close());
  for (const server of servers) await once(server.listen(0, "127.0.0.1"), "listening");
  for (const server of servers) {
    (await connectTo(t, (server.address() as AddressInfo).port)).write(get("/"));
  }
  await until(() => managed.connections.size === 2 && bytesHaveCome(managed));
  const draining = managed.drain();
  await settle();
  clock.advance(2999);
  await settle();
  assert.equal(managed.connections.size, 2);
  clock.advance(1 + resolution);
  assert.deepEqual(
    (await draining).cut.map(({ reason }) => reason),
    ["drain-cut", "drain-cut"],
  );
});

const kinds: Readonly<Record<string, () => Server>> = {
  http: () => createHttp(() => {}),
  h2c: () => createHttp2(() => {}),
  net: () => createNet((socket) => void socket.on("error", () => {}).resume()),
};

/** Ways to dispose of a manager. */
const ways: Readonly<Record<string, (managed: Managed) => Promise<unknown>>> = {
  "by its method": (managed) => managed[Symbol.asyncDispose](),
  "at the end of a block": async (managed) => {
    await using own = managed;
    assert.equal(own.ready, true);
  },
  "with the custodian that owns it": async (managed) => {
    const owner = makeCustodian(null);
    owner.use(managed);
    assert.deepEqual((await owner.shutdownAll()).errors, []);
  },
};

for (const [way, dispose] of Object.entries(ways)) {
  test(`disposing of a manager, ${way}, closes its servers and every connection now`, async (t) => {
    const servers = Object.values(kinds).map((make) => make());
    // No time passes: nothing is waited for.
    const managed = manage(servers, { clock: new ManualClock(), safetyLimits: { shutdownGracePeriod: "10s" } });
    t.after(() => managed.close());
    const ports: number[] = [];
    for (const server of servers) {
      await once(server.listen(0, "127.0.0.1"), "listening");
      ports.push((server.address() as AddressInfo).port);
    }
    const clients = await Promise.all(ports.map((port) => connectTo(t, port)));
    // Each is in the middle of something.
    for (const client of clients) client.write(client === clients[1] ? "PRI" : get("/")).socket.resume();
    await until(() => managed.connections.size === 3 && bytesHaveCome(managed));
    const connections = [...managed.connections];
    const closed = Promise.all(clients.map((client) => client.ended));
    for (const client of clients) void client.ended.then(() => client.end());
    await dispose(managed);
    await closed;
    assert.deepEqual(
      connections.map(({ closeReason, phase }) => `${closeReason}, ${phase}`),
      Array.from(connections, () => "server-closed, closed"),
    );
    assert.equal(managed.connections.size, 0);
    assert.equal(managed.ready, false);
    for (const server of servers) assert.equal(server.listening, false);
    for (const port of ports) await assert.rejects(dial(port), { code: "ECONNREFUSED" });
    // Once more is no harm.
    await managed[Symbol.asyncDispose]();
  });
}

test("disposing of a manager ends a drain that waits, and its report says so", async (t) => {
  const web = await startWeb(t, () => {}, { shutdownGracePeriod: "10s" });
  const client = await web.connect();
  client.write(get("/"));
  await until(() => web.server.connections.countByPhase().handling === 1);
  const draining = web.server.drain();
  await web.server[Symbol.asyncDispose]();
  assert.deepEqual(
    (await draining).cut.map(({ reason }) => reason),
    ["server-closed"],
  );
  await client.ended;
});

interface Closing {
  readonly name: string;
  readonly path: string;
  /** Ends the server. */
  readonly end: (managed: Managed) => Promise<unknown>;
  /** Whether the closer settles. */
  readonly settles: boolean;
}

const closings: readonly Closing[] = [
  { name: "a drain, of a request that finishes", path: "/finished", end: (managed) => managed.drain(), settles: true },
  { name: "a drain, of one that is cut", path: "/never", end: (managed) => managed.drain({ grace: 0 }), settles: true },
  { name: "a close", path: "/never", end: (managed) => managed.close(), settles: true },
  {
    name: "a drain whose closers hang, for 200 ms after its grace period",
    path: "/never",
    end: (managed) => managed.drain({ grace: 1000 }),
    settles: false,
  },
];

for (const { name, path, end, settles } of closings) {
  test(`the closers of what requests hold are waited for: ${name}`, async (t) => {
    let closes = false;
    let closed = false;
    let release = (): void => {};
    const web = await startWeb(t, (request, response) => {
      custodianOf(request).defer(async () => {
        closes = true;
        await new Promise<void>((resolve) => (release = resolve));
        closed = true;
      });
      if (request.url === "/finished") response.end("ok");
    });
    const client = await web.connect();
    client.write(get(path));
    await until(() => web.server.connections.countByPhase().handling === 1 || closes);
    let isOver = false;
    const ending = end(web.server).then(() => (isOver = true));
    client.end();
    if (!settles) await web.pass(1000 + resolution);
    await until(() => closes);
    await settle();
    assert.equal(isOver, false);
    if (settles) release();
    else await web.pass(200 + resolution);
    await ending;
    assert.equal(closed, settles);
    release();
  });
}
