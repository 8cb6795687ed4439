import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { connectionOf, custodianOf, manage, requestOf } from "../../src/index.ts";
import type { Connection, Managed, SafetyLimitsOptions } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { answers, get, settle, until } from "../protocols/http1/web.ts";
import { connectTo } from "../support/tcp-client.ts";
import type { TcpClient } from "../support/tcp-client.ts";
import { fill, kinds, startServer } from "./living-server.ts";
import type { Clients, Kind, LivingServer } from "./living-server.ts";

interface Late {
  living: LivingServer;
  clients: Clients;
  managed: Managed;
  clock: ManualClock;
  /** The connection of a client. */
  of(client: TcpClient): Connection;
  pass(ms: number): Promise<void>;
}

/** A server that is put under a manager when its clients are there already. */
async function manageLate(t: TestContext, kind: Kind, safetyLimits: SafetyLimitsOptions = {}): Promise<Late> {
  const living = await startServer(t, kind);
  const clients = await fill(living, kind);
  await settle();
  const clock = new ManualClock();
  const managed = manage(living.server, { clock, safetyLimits });
  t.after(() => managed.close());
  return {
    living,
    clients,
    managed,
    clock,
    of(client) {
      const found = living.accepted.find(({ remotePort }) => remotePort === client.socket.localPort);
      const connection = connectionOf(found);
      assert.ok(connection);
      return connection;
    },
    async pass(ms) {
      await settle();
      clock.advance(ms);
      await settle();
    },
  };
}

for (const kind of ["http", "https"] as const) {
  test(`clients that came to a server of node:${kind} before it was managed are owned, each in its phase`, async (t) => {
    const { clients, managed, of, living } = await manageLate(t, kind);
    assert.equal(managed.connections.size, 4);
    assert.equal(of(clients.idle).phase, "idle");
    assert.equal(of(clients.busy).phase, "handling");
    assert.equal(of(clients.upgraded).phase, "upgraded");
    const [waiting] = living.waiting;
    assert.ok(waiting);
    assert.equal(connectionOf(waiting.request), of(clients.busy));
    assert.equal(requestOf(waiting.request).connection, of(clients.busy));
    assert.equal(custodianOf(waiting.response), requestOf(waiting.request).custodian);
  });

  test(`in a drain the late-found clients of node:${kind} end as the others do: the request in flight is answered with close`, async (t) => {
    const { clients, managed, living, pass } = await manageLate(t, kind);
    const drained = managed.drain({ grace: "5s" });
    assert.equal(await clients.idle.ended, "FIN");
    clients.idle.end();
    living.waiting[0]?.response.end("whole");
    assert.match(await clients.busy.all(), /^Connection: close\r$[^]*whole$/m);
    clients.busy.end();
    clients.silent.end();
    await pass(4900);
    assert.deepEqual(
      [...managed.connections].map(({ phase }) => phase),
      ["upgraded"],
    );
    await pass(100);
    const report = await drained;
    assert.deepEqual(
      report.cut.map(({ reason, phase }) => [reason, phase]),
      [["drain-cut", "upgraded"]],
    );
  });

  test(`limits act on late-found clients of node:${kind}: idle ones end, a handler that is silent is answered with 503`, async (t) => {
    const { clients, of, pass } = await manageLate(t, kind, {
      idleTimeout: "20s",
      responseTimeout: "10s",
      requestReadTimeout: "15s",
      upgradedIdleTimeout: "30s",
    });
    const [idle, silent, upgraded] = [of(clients.idle), of(clients.silent), of(clients.upgraded)];
    await pass(9900);
    clients.busy.received = "";
    await pass(200);
    assert.equal(answers(await clients.busy.all())[0]?.status, 503);
    await pass(5000);
    assert.equal(silent.closeReason, "read-timeout");
    assert.equal(idle.closeReason, null);
    await pass(5000);
    assert.equal(idle.closeReason, "idle-timeout");
    assert.equal(upgraded.closeReason, null);
    await pass(10_500);
    assert.equal(upgraded.closeReason, "upgraded-timeout");
  });
}

test("a late-found idle client goes on: its next requests are managed like any, and Node's own idle timer is off", async (t) => {
  const { clients, of, living } = await manageLate(t, "http");
  const { idle } = clients;
  for (const path of ["/second", "/third"]) {
    idle.received = "";
    idle.write(get(path));
    await idle.gets(/\/(second|third)\n$/);
    await until(() => of(idle).phase === "idle");
  }
  const socket = living.accepted.find(({ remotePort }) => remotePort === idle.socket.localPort);
  assert.equal(socket?.timeout ?? 0, 0);
  assert.match(idle.received, /Keep-Alive: timeout=75/);
});

test("requests that came together before the server was managed are answered in their turn, and then the client is idle", async (t) => {
  const living = await startServer(t, "http");
  const client = await living.connect();
  client.write(get("/wait") + get("/wait") + get("/wait"));
  await until(() => living.waiting.length === 3);
  const managed = manage(living.server);
  t.after(() => managed.close());
  const [connection] = managed.connections;
  for (const [i, { response }] of living.waiting.entries()) {
    response.end(`answer ${i}`);
    await client.gets(new RegExp(`answer ${i}$`));
    await settle();
    assert.equal(connection?.phase, i < 2 ? "handling" : "idle");
  }
});

test("a body that is half received when the server is managed is read on, and timed", async (t) => {
  const living = await startServer(t, "http");
  const [honest, stalled] = [await living.connect(), await living.connect()];
  for (const client of [honest, stalled])
    client.write("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc");
  await until(() => living.waiting.length === 2);
  const bodies = new Map<unknown, string>();
  for (const { request, response } of living.waiting) {
    request
      .setEncoding("utf8")
      .on("data", (text: string) => bodies.set(request, `${bodies.get(request) ?? ""}${text}`));
    request.on("end", () => response.end(bodies.get(request)));
    request.on("error", () => {});
  }
  const clock = new ManualClock();
  const managed = manage(living.server, { clock, safetyLimits: { requestReadTimeout: "5s" } });
  t.after(() => managed.close());
  honest.write("def");
  await honest.gets(/abcdef$/);
  await settle();
  clock.advance(5100);
  assert.equal(answers(await stalled.all())[0]?.status, 408);
});

test("half a head that was there when the server was managed gets its short chance in a drain, and then 408", async (t) => {
  const living = await startServer(t, "http");
  const client = await living.connect();
  client.write(get("/first"));
  await client.gets(/\/first\n$/);
  client.received = "";
  client.write("GET /second HTTP/1.1\r\nHo");
  const [socket] = living.accepted as [Socket];
  const whole = get("/first").length + 24;
  await until(() => socket.bytesRead === whole);
  const clock = new ManualClock();
  const managed = manage(living.server, { clock });
  assert.deepEqual(
    [...managed.connections].map(({ phase }) => phase),
    ["reading"],
  );
  const drained = managed.drain();
  clock.advance(1000);
  assert.equal(answers(await client.all())[0]?.status, 408);
  client.end();
  assert.equal((await drained).cut[0]?.reason, "read-timeout");
});

for (const kind of ["net", "tls"] as const) {
  test(`late-found clients of a server of node:${kind} are timed and told, and one that never began to talk ends with the drain`, async (t) => {
    const { clients, of, pass, managed } = await manageLate(t, kind, { idleTimeout: "20s" });
    const [idle, busy] = [of(clients.idle), of(clients.busy)];
    assert.deepEqual([idle.phase, busy.phase], ["handling", "handling"]);
    await pass(15_000);
    busy.manager.timers.clock.now();
    clients.busy.write("more");
    await clients.busy.gets(/more$/);
    await pass(6000);
    assert.equal(idle.closeReason, "idle-timeout");
    assert.equal(busy.closeReason, null);
    const drained = managed.drain({ grace: "1s" });
    await pass(1000);
    assert.ok((await drained).cut.some(({ id, reason }) => id === busy.id && reason === "drain-cut"));
  });
}

for (const kind of ["tls", "https"] as const) {
  test(`a handshake that had not begun when the ${kind} server was managed has its deadline, or succeeds`, async (t) => {
    const living = await startServer(t, kind);
    const { port } = living.server.address() as AddressInfo;
    const mute = await connectTo(t, port);
    await until(() => living.accepted.length === 1);
    const clock = new ManualClock();
    const managed = manage(living.server, { clock });
    t.after(() => managed.close());
    const [connection] = managed.connections;
    assert.equal(connection?.phase, "handshaking");
    const late = await living.connect();
    late.write(kind === "tls" ? "hello" : get("/hello"));
    await late.gets(/hello\n?$/);
    clock.advance(10_000);
    assert.equal(await mute.ended, "FIN");
    assert.equal(connection.closeReason, "handshake-timeout");
  });
}

for (const kind of kinds) {
  test(`connections of a server of node:${kind} found late give their permits back`, async (t) => {
    const { clients, managed, living } = await manageLate(t, kind, { maxConcurrent: 4 });
    const fifth = await connectTo(t, (living.server.address() as AddressInfo).port);
    await until(() => managed.waiting === 1);
    clients.upgraded.socket.destroy();
    await until(() => managed.waiting === 0);
    fifth.end();
  });
}

test("sockets that are going when a server is put under a manager are nobody's, and no warning is given", async (t) => {
  const warnings: Error[] = [];
  const hear = (warning: Error): void => void warnings.push(warning);
  process.on("warning", hear);
  t.after(() => void process.off("warning", hear));
  const living = await startServer(t, "net");
  await fill(living, "net");
  living.accepted[0]?.destroy();
  const managed = manage(living.server);
  assert.equal(managed.connections.size, 3);
  await settle();
  assert.deepEqual(warnings, []);
  await managed.close();
});

test("where Node does not tell which sockets a server has, they are owned from their next request on, and a warning counts them", async (t) => {
  const handles = Object.getOwnPropertyDescriptor(process, "_getActiveHandles");
  const warned = once(process, "warning") as Promise<[Error]>;
  for (const kind of ["http", "https"] as const) {
    const living = await startServer(t, kind);
    const { idle, upgraded } = await fill(living, kind);
    Reflect.deleteProperty(process, "_getActiveHandles");
    const managed = manage(living.server);
    Object.defineProperty(process, "_getActiveHandles", handles ?? {});
    assert.equal(managed.connections.size, 0);
    idle.received = "";
    idle.write(get("/next"));
    await idle.gets(/next\n$/);
    await until(() => [...managed.connections].some(({ phase }) => phase === "idle"));
    idle.write(get("/wait"));
    await until(() => living.waiting.length === 2);
    const drained = managed.drain();
    living.waiting[1]?.response.end("whole");
    assert.match(await idle.all(), /Connection: close\r\n[^]*whole$/);
    idle.end();
    assert.equal((await drained).finished, 1);
    upgraded.write("still there");
    await upgraded.gets(/still there$/);
  }
  const [warning] = await warned;
  assert.match(warning.message, /4 connections were open .* and 0 could be found/);
});

test("where one of several servers cannot be managed, all of them and their clients are as they were", async (t) => {
  const fine = await startServer(t, "http");
  const clients = await fill(fine, "http");
  await settle();
  const looks = (): unknown =>
    fine.accepted.map((socket) => [Reflect.ownKeys(socket).length, socket.listenerCount("error")]);
  const before = looks();
  const broken = createServer().listen(0, "127.0.0.1");
  await once(broken, "listening");
  t.after(() => broken.close());
  broken.getConnections = () => {
    throw new Error("of its own");
  };
  assert.throws(() => manage([fine.server, broken]), /of its own/);
  assert.deepEqual(looks(), before);
  for (const socket of fine.accepted) assert.equal(connectionOf(socket), undefined);
  for (const server of [fine.server, broken]) assert.equal(Object.hasOwn(server, "emit"), false);
  clients.idle.write(get("/"));
  await clients.idle.gets(/200 OK/);
});
