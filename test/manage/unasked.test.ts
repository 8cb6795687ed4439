import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { register } from "../support/app.ts";
import { startProgram } from "../support/program.ts";
import type { Count } from "./unasked/program.ts";

const program = fileURLToPath(new URL("unasked/program.js", import.meta.url));
const ways = {
  manage: [program, "manage"],
  "the preload": ["--import", register, program, "preload"],
};
/** The program's clients of each kind, and how often they ask: three times each. */
const clients = 3;
const asked = 3 * clients;
const kinds = ["http", "https", "h2", "h2c", "ws", "net", "tls"] as const;

for (const [way, args] of Object.entries(ways)) {
  test(`under ${way}, a program that never asks enters no AsyncLocalStorage and makes no custodian, whatever it speaks`, async (t) => {
    const running = startProgram(t, args);
    const [text] = await running.says(/^\{.*\}$/m);
    const counts = JSON.parse(text) as Record<string, Count>;
    for (const kind of kinds) {
      // The one custodian is the server's own.
      assert.deepEqual(counts[kind], { custodians: 1, contexts: 0, served: asked }, kind);
    }
    // That they are counted is seen where it asks: the server, its clients, and their requests where there are any.
    for (const kind of kinds) {
      const { custodians, contexts = 0 } = counts[`${kind}, asking`] ?? {};
      assert.equal(custodians, 1 + clients + (kind.startsWith("h") ? asked : 0), kind);
      // Where one is made of the other it counts twice.
      assert.ok(contexts >= asked, kind);
    }
    assert.equal(await running.ended, 0, running.stderr);
  });
}
