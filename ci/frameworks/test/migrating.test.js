// Both halves of every page of docs/migrating, run as they stand: what was there before ends when it is told to; what is
// there after finishes its work in flight, tells its clients, and ends by itself.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { frameworks } from "./clients.js";
import { startProgram } from "./program.js";
import { makeClient } from "./support.js";

const pages = join(import.meta.dirname, "../../../docs/migrating");

/** What is the reader's own on the pages. */
const readersFiles = {
  "handler.js": `
    export function handler(request, response) {
      if (request.method === "GET") response.end("hello\\n");
      else {
        let length = 0;
        request.on("data", (piece) => (length += piece.length)).on("end", () => response.end(length + "\\n"));
      }
    }
    export async function closeDatabase() {}`,
  "routes.js": `
    export async function routes(app) {
      app.get("/", () => "hello\\n");
      app.post("/messages", ({ body }) => body.length + "\\n");
    }`,
  "tell-port.js": `
    import { channel } from "node:diagnostics_channel";
    channel("tracing:net.server.listen:asyncStart").subscribe(({ server }) =>
      server.once("listening", () => console.log("listening on", server.address().port)));`,
  "package.json": `{ "type": "module" }`,
};

/** Starts a program of a page. Inside this folder, so that the libraries are found. */
function startExample(t, code) {
  mkdirSync(join(import.meta.dirname, "../.build"), { recursive: true });
  const folder = mkdtempSync(join(import.meta.dirname, "../.build/migrating-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries({ ...readersFiles, "example.js": code })) {
    writeFileSync(join(folder, name), text);
  }
  return startProgram(t, folder, ["--import", "./tell-port.js", "example.js"], { PORT: "0", DRAIN_DELAY: "0" });
}

describe("migrating", { concurrency: 4 }, () => {
  for (const page of readdirSync(pages)) {
    const text = readFileSync(join(pages, page), "utf8");
    const fences = [...text.matchAll(/^```(.+)\n([^]*?)^```$/gm)].map(([, language, code]) => [language, code]);

    test(`${page} has a program before and one after, and nothing that nobody runs`, () => {
      assert.deepEqual(
        fences.map(([language]) => language),
        ["js before", "js after"],
      );
    });

    test(`${page}: the program before serves, and ends when it is told to`, async (t) => {
      const { child, ended, port, said } = await startExample(t, fences[0][1]);
      const client = makeClient(t, port);
      assert.equal((await client.ask("/")).body, "hello\n");
      client.close();
      child.kill("SIGTERM");
      assert.ok([0, "SIGTERM"].includes(await ended), said());
    });

    test(`${page}: the program after finishes its work in flight, tells its clients, and ends by itself`, async (t) => {
      const { child, ended, port, said } = await startExample(t, fences[1][1]);
      const finishes = await frameworks.express(t, port);
      child.kill("SIGTERM");
      await finishes();
      assert.equal(await ended, 0, said());
    });
  }
});
