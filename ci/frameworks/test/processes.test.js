// Every framework as a program of its own, told to end by SIGTERM: with `manage` in the program, and with no code at all.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, constants } from "node:http2";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import { frameworks } from "./clients.js";
import { call, makeEcho } from "./grpc-client.js";
import { startProgram } from "./program.js";
import { makeClient } from "./support.js";

const apps = join(import.meta.dirname, "../apps");
const cli = join(import.meta.dirname, "../../../cli/bin/portreeve.js");

const ways = {
  "manage in the app": (name) => [join(apps, "managed.js"), name],
  "node --import portreeve/register": (name) => ["--import", "portreeve/register", join(apps, `${name}.js`)],
  "portreeve run": (name) => [cli, "run", join(apps, `${name}.js`)],
};

/** An app under `portreeve run` with limits given as flags. @returns the port it listens on */
async function runWithLimits(t, name, ...limits) {
  const flags = limits.flatMap((limit) => ["--limit", limit]);
  const { port } = await startProgram(t, apps, [cli, "run", ...flags, join(apps, `${name}.js`)]);
  return port;
}

/** A client that was answered and is kept alive sees the end of its connection. */
async function idleEnds(t, port) {
  const idle = makeClient(t, port).open("/").end();
  const [socket] = await once(idle, "socket");
  const closed = once(socket, "close");
  (await once(idle, "response"))[0].resume();
  await closed;
}

describe("programs", { concurrency: 4 }, () => {
  for (const [way, argsFor] of Object.entries(ways)) {
    for (const [framework, drive] of Object.entries(frameworks)) {
      test(`${framework}, ${way}: work in flight finishes, clients are told, and the process ends`, async (t) => {
        const { child, ended, port, said } = await startProgram(t, apps, argsFor(framework));
        const finishes = await drive(t, port);
        child.kill("SIGTERM");
        await finishes();
        const how = await ended;
        // With `manage` nothing is left to run; with no code it ends as it would have by the signal.
        assert.equal(how, way === "manage in the app" ? 0 : "SIGTERM", said());
        if (way === "manage in the app") assert.match(said(), /"cut":\[\]/);
      });
    }
  }

  for (const framework of ["express", "fastify", "koa", "hono", "nest"]) {
    test(`${framework}, portreeve run: limits are set by flags, and act`, async (t) => {
      const limits = ["responseTimeout=1s", "idleTimeout=1s", "maxRequestBodyLength=10B"];
      const port = await runWithLimits(t, framework, ...limits);
      const [never, long] = await Promise.all([
        makeClient(t, port).ask("/never"),
        makeClient(t, port).ask("/messages", { body: "eleven bytes", headers: { "Content-Type": "text/plain" } }),
        idleEnds(t, port),
      ]);
      assert.deepEqual([never.status, never.headers.connection], [503, "close"]);
      assert.equal(long.status, 413);
    });
  }

  test("ws, portreeve run: limits are set by flags, and act", async (t) => {
    const port = await runWithLimits(t, "ws", "upgradedIdleTimeout=1s", "idleTimeout=1s", "maxRequestBodyLength=10B");
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    t.after(() => socket.terminate());
    await once(socket, "open");
    const closed = once(socket, "close");
    const [long] = await Promise.all([makeClient(t, port).ask("/", { body: "eleven bytes" }), idleEnds(t, port)]);
    assert.equal(long.status, 413);
    assert.equal((await closed)[0], 1001);
  });

  test("socket.io, portreeve run: limits are set by flags, and act", async (t) => {
    const limits = ["upgradedIdleTimeout=1s", "responseTimeout=1s", "idleTimeout=1s", "maxRequestBodyLength=10B"];
    const port = await runWithLimits(t, "socket.io", ...limits);
    const socket = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], forceNew: true, reconnection: false });
    t.after(() => socket.close());
    const disconnected = new Promise((resolve) => socket.once("disconnect", resolve));
    await new Promise((resolve) => socket.once("connect", resolve));
    // A poll as its client asks it: the first answer has the name of the session, the next is held open.
    const path = "/socket.io/?EIO=4&transport=polling";
    const { body } = await makeClient(t, port).ask(path);
    const session = `${path}&sid=${JSON.parse(body.slice(1)).sid}`;
    const poll = makeClient(t, port).ask(session);
    const long = await makeClient(t, port).ask(session, { body: '42["say","a message"]' });
    assert.equal(long.status, 413);
    assert.equal((await poll).status, 503);
    assert.equal(await disconnected, "transport close");
    await idleEnds(t, port);
  });

  test("grpc, portreeve run: limits are set by flags, and act", async (t) => {
    const limits = [
      "responseTimeout=1s",
      "idleTimeout=1s",
      "maxRequestHeaderLength=200B",
      "maxRequestsPerConnection=3",
    ];
    const port = await runWithLimits(t, "grpc", ...limits);
    const echo = makeEcho(t, port);
    await assert.rejects(call(echo, "never", ""), { code: grpc.status.UNAVAILABLE });
    const long = new grpc.Metadata();
    long.set("long", "x".repeat(200));
    await assert.rejects(promisify(echo.say.bind(echo))({ text: "hello" }, long), /HTTP status code 431/);
    assert.equal(await call(echo, "say", "hello"), "hello");
    const session = connect(`http://127.0.0.1:${port}`);
    t.after(() => session.destroy());
    const [goaway] = await once(session, "goaway");
    assert.equal(goaway, constants.NGHTTP2_NO_ERROR);
    await once(session, "close");
  });
});
