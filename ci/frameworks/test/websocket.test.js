// ws and socket.io under `manage`, with their own clients; all limits at their defaults, time is moved by hand.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import { assertNothingLeft, makeClient, startManaged, untilPhase } from "./support.js";

/** A client of ws that is connected. Closed with the test. */
async function openWebSocket(t, port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  t.after(() => socket.terminate());
  await once(socket, "open");
  return socket;
}

/** A client of socket.io that is connected. Closed with the test. */
async function join(t, port, transports) {
  const socket = io(`http://127.0.0.1:${port}`, { transports, forceNew: true, reconnection: false });
  t.after(() => socket.close());
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** What an emitter of socket.io says next. */
const said = (socket, event) => new Promise((resolve) => socket.once(event, resolve));

/** The status of the answer that ended a client of socket.io which polls. */
const statusOfEnd = (socket) =>
  new Promise((resolve) => socket.once("disconnect", (_why, error) => resolve(error.description)));

test("ws: messages are echoed, and requests beside them are answered", async (t) => {
  const { managed, port } = await startManaged(t, "ws");
  const socket = await openWebSocket(t, port);
  socket.send("text");
  assert.equal(String((await once(socket, "message"))[0]), "text");
  const megabytes = Buffer.alloc(5_000_000, 7);
  socket.send(megabytes);
  assert.deepEqual((await once(socket, "message"))[0], megabytes);
  assert.equal((await makeClient(t, port).ask("/")).body, "hello\n");
  assert.equal(managed.connections.countByPhase().upgraded, 1);
  const { closed } = await untilPhase(managed, "upgraded");
  socket.close(1000);
  await closed;
});

test("ws: a WebSocket that is idle for a day survives the defaults", async (t) => {
  const { clock, managed, port } = await startManaged(t, "ws");
  const socket = await openWebSocket(t, port);
  await untilPhase(managed, "upgraded");
  for (let hour = 0; hour < 24; hour++) clock.advance("1h");
  socket.send("still here");
  assert.equal(String((await once(socket, "message"))[0]), "still here");
});

test("ws: a WebSocket that says nothing is closed with 1001 by upgradedIdleTimeout", async (t) => {
  const { clock, managed, port } = await startManaged(t, "ws", { safetyLimits: { upgradedIdleTimeout: "5m" } });
  const socket = await openWebSocket(t, port);
  const { closed } = await untilPhase(managed, "upgraded");
  const ended = once(socket, "close");
  clock.advance("301s");
  assert.equal((await ended)[0], 1001);
  assert.equal(await closed, "upgraded-timeout");
});

test("ws: a drain says 1001, and leaves nothing", async (t) => {
  const { managed, port } = await startManaged(t, "ws");
  const socket = await openWebSocket(t, port);
  await untilPhase(managed, "upgraded");
  const ended = once(socket, "close");
  const { finished, cut } = await managed.drain();
  assert.equal((await ended)[0], 1001);
  assert.deepEqual([finished, cut], [1, []]);
  await assertNothingLeft(managed);
});

for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
  const way = transports.join(", then ");
  test(`socket.io over ${way}: events are answered, and a drain disconnects and leaves nothing`, async (t) => {
    const { clock, managed, port } = await startManaged(t, "socket.io");
    const socket = await join(t, port, transports);
    const { engine } = socket.io;
    if (transports.length > 1 && engine.transport.name !== "websocket") await said(engine, "upgrade");
    socket.emit("say", "hello");
    assert.equal(await said(socket, "said"), "hello");
    const disconnected = said(socket, "disconnect");
    const drained = managed.drain({ grace: "2s" });
    // A WebSocket is told to go; a poll that is held open is cut at the end of the grace period.
    if (way === "polling") clock.advance("2100ms");
    const { cut } = await drained;
    assert.match(await disconnected, /^transport (close|error)$/);
    if (way !== "polling") assert.deepEqual(cut, []);
    await assertNothingLeft(managed);
  });
}

test("socket.io: a client that says nothing for an hour survives the defaults", async (t) => {
  const { clock, managed, port } = await startManaged(t, "socket.io");
  const socket = await join(t, port, ["websocket"]);
  await untilPhase(managed, "upgraded");
  for (let minute = 0; minute < 60; minute++) clock.advance("1m");
  socket.emit("say", "still here");
  assert.equal(await said(socket, "said"), "still here");
});

test("socket.io: a client over WebSocket that says nothing is closed by upgradedIdleTimeout", async (t) => {
  const { clock, managed, port } = await startManaged(t, "socket.io", { safetyLimits: { upgradedIdleTimeout: "5m" } });
  const socket = await join(t, port, ["websocket"]);
  const { closed } = await untilPhase(managed, "upgraded");
  const disconnected = said(socket, "disconnect");
  clock.advance("301s");
  assert.equal(await disconnected, "transport close");
  assert.equal(await closed, "upgraded-timeout");
});

test("socket.io: a poll that is held open is answered 503 by responseTimeout, and a message that is too long 413", async (t) => {
  const { clock, managed, port } = await startManaged(t, "socket.io", { safetyLimits: { maxRequestBodyLength: 100 } });
  const socket = await join(t, port, ["polling"]);
  const failed = statusOfEnd(socket);
  socket.emit("say", "x".repeat(100));
  assert.equal(await failed, 413);
  const other = await join(t, port, ["polling"]);
  const disconnected = statusOfEnd(other);
  await untilPhase(managed, "handling");
  clock.advance("61s");
  assert.equal(await disconnected, 503);
});
