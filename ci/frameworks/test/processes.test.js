// Every framework as a program of its own, told to end by SIGTERM: with `manage` in the program, and with no code at all.
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { describe, test } from "node:test";
import { frameworks } from "./clients.js";
import { startProgram } from "./program.js";
import { makeClient } from "./support.js";

const apps = join(import.meta.dirname, "../apps");
const cli = join(import.meta.dirname, "../../../cli/bin/portreeve.js");

const ways = {
  "manage in the app": (name) => [join(apps, "managed.js"), name],
  "node --import portreeve/register": (name) => ["--import", "portreeve/register", join(apps, `${name}.js`)],
  "portreeve run": (name) => [cli, "run", join(apps, `${name}.js`)],
};

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
      const flags = limits.flatMap((limit) => ["--limit", limit]);
      const { port } = await startProgram(t, apps, [cli, "run", ...flags, join(apps, `${framework}.js`)]);
      const idle = makeClient(t, port).open("/").end();
      const [socket] = await once(idle, "socket");
      const closed = once(socket, "close");
      const [response] = await once(idle, "response");
      response.resume();
      const [never, long] = await Promise.all([
        makeClient(t, port).ask("/never"),
        makeClient(t, port).ask("/messages", { body: "eleven bytes", headers: { "Content-Type": "text/plain" } }),
        closed,
      ]);
      assert.deepEqual([never.status, never.headers.connection], [503, "close"]);
      assert.equal(long.status, 413);
    });
  }
});
