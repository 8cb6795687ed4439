import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { Server } from "socket.io";
import type { Socket as ServerSocket } from "socket.io";
import { io } from "socket.io-client";
import type { Socket as ClientSocket } from "socket.io-client";
import { connectionOf, custodianOf } from "../../../src/index.ts";
import type { Managed } from "../../../src/index.ts";
import { listen, manageWeb, startWeb, until } from "../http1/web.ts";
import type { Web } from "../http1/web.ts";

interface Rooms extends Web {
  rooms: Server;
}

/** A server of socket.io with its own defaults. */
async function startRooms(t: TestContext): Promise<Rooms> {
  const http = createServer();
  const rooms = new Server(http);
  const web = await startWeb(t, http);
  t.after(() => rooms.disconnectSockets(true));
  return { ...web, rooms };
}

/** A client that is connected; it comes again at once when it was disconnected. */
async function join(t: TestContext, port: number, transports: string[]): Promise<ClientSocket> {
  const client = io(`http://127.0.0.1:${port}`, {
    transports,
    forceNew: true,
    reconnectionDelay: 1,
    reconnectionDelayMax: 5,
  });
  t.after(() => client.close());
  await new Promise<void>((resolve) => client.once("connect", () => resolve()));
  return client;
}

test("a room of socket.io survives the defaults, over WebSocket", async (t) => {
  const web = await startRooms(t);
  web.rooms.on("connection", (socket) => socket.on("say", (text: string) => socket.emit("said", text)));
  const client = await join(t, web.port, ["websocket"]);
  for (let minute = 0; minute < 20; minute++) {
    await web.pass(60_000);
    client.emit("say", `minute ${minute}`);
    const text = await new Promise((resolve) => void client.once("said", resolve));
    assert.equal(text, `minute ${minute}`);
  }
  assert.deepEqual(web.ends(), []);
});

/** Whoever manages the old server by the time that its client has come: the client moves on to the next when that drains. */
async function movesOn(
  t: TestContext,
  transports: string[],
  old: Pick<Rooms, "rooms" | "port">,
  managerOf: () => Managed,
): Promise<void> {
  const next = await startRooms(t);
  const [client] = await Promise.all([join(t, old.port, transports), once(old.rooms, "connection")]);
  if (client.io.engine.transport.name !== "websocket") await once(client.io.engine as never, "upgrade");
  const managed = managerOf();
  await until(() => [...managed.connections].some(({ phase }) => phase === "upgraded"));
  const closed = new Promise<string>((resolve) => void client.once("disconnect", resolve));
  // What a load balancer does: from now on its clients reach another server.
  const { io: manager } = client;
  Object.assign(manager, { uri: `http://127.0.0.1:${next.port}` });
  const joined = once(next.rooms, "connection");
  const report = await managed.drain({ grace: "30s" });
  assert.equal(await closed, "transport close");
  assert.deepEqual(report.cut, []);
  await joined;
}

for (const transports of [["websocket"], ["polling", "websocket"]]) {
  test(`in a drain a client of socket.io (${transports.join(", then ")}) sees "transport close", and reconnects where it is served`, async (t) => {
    const old = await startRooms(t);
    await movesOn(t, transports, old, () => old.server);
  });

  test(`a client of socket.io (${transports.join(", then ")}) that came before the manager is told to go like the rest`, async (t) => {
    const http = createServer();
    const rooms = new Server(http);
    t.after(() => rooms.disconnectSockets(true));
    const port = await listen(http);
    await movesOn(t, transports, { rooms, port }, () => manageWeb(t, http).server);
  });
}

test("what a room of socket.io opens for a client is owned by that client's connection", async (t) => {
  const web = await startRooms(t);
  const [[socket], client] = (await Promise.all([once(web.rooms, "connection"), join(t, web.port, ["websocket"])])) as [
    [ServerSocket],
    ClientSocket,
  ];
  const own = custodianOf(socket.request);
  assert.equal(own, connectionOf(socket.request)?.custodian);
  client.close();
  await until(() => own.signal.aborted);
});

test("a client of socket.io that only polls ends with the drain, too", async (t) => {
  const web = await startRooms(t);
  const client = await join(t, web.port, ["polling"]);
  const closed = new Promise<string>((resolve) => void client.once("disconnect", resolve));
  await until(() => [...web.server.connections].some(({ phase }) => phase === "handling"));
  const drained = web.server.drain({ grace: "2s" });
  let over = false;
  void drained.then(() => (over = true));
  while (!over) await web.pass(100);
  assert.match(await closed, /^transport (error|close)$/);
  assert.equal(web.server.connections.size, 0);
});
