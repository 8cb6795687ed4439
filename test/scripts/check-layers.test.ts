import assert from "node:assert/strict";
import { test } from "node:test";
import { TemporaryFolder, runScript } from "../support/run-script.ts";

async function check(files: Readonly<Record<string, string>>): Promise<{ code: number; printed: string }> {
  using folder = new TemporaryFolder(files);
  return await runScript("check-layers.js", folder.path);
}

test("src keeps the layers", async () => {
  const { code, printed } = await runScript("check-layers.js");
  assert.equal(code, 0, printed);
});

test("imports of smaller numbers, own files, Node and earlier protocols are fine", async () => {
  const { code, printed } = await check({
    "index.ts": `export * from "./server/listener.ts";`,
    "core/clock.ts": `setTimeout(() => Date.now(), 1);`,
    "timers/timer.ts": `import { systemClock } from "../core/clock.ts";\nimport "./wheel.ts";`,
    "timers/wheel.ts": `import { once } from "node:events";`,
    "protocols/protocol.ts": ``,
    "protocols/tls/tls.ts": `import type { Protocol } from "../protocol.ts";`,
    "protocols/http1/http1.ts": `import { tls } from "../tls/tls.ts";\nimport type { Server } from "node:http";`,
    "server/listener.ts": `/* import "../manage/x.ts" */\ncustodian.setTimeout(fn, 1); // Date.now(`,
    "custodian/custodian.ts": `class Custodian {\n  setTimeout(fn: () => unknown, ms: number): Timer {\n  }\n}`,
  });
  assert.equal(code, 0, printed);
});

const faults: readonly (readonly [what: string, file: string, text: string, said: RegExp])[] = [
  ["a higher layer", "timers/a.ts", `import { x } from "../server/b.ts";`, /timers \(1\) imports server \(6\)/],
  ["a layer of the same number", "limits/a.ts", `import "../timers/b.ts";`, /limits \(1\) imports timers \(1\)/],
  ["a type from a higher layer", "core/a.ts", `import type { X } from "../limits/b.ts";`, /core \(0\) imports limits/],
  ["a re-export from a higher layer", "core/a.ts", `export * from "../limits/b.ts";`, /core \(0\) imports limits/],
  ["a dynamic import of a higher layer", "core/a.ts", `await import("../limits/b.ts");`, /core \(0\) imports limits/],
  ["the window", "server/a.ts", `import { serve } from "../index.ts";`, /nobody imports an index\.ts/],
  ["a folder's window", "server/a.ts", `import { Timer } from "../timers/index.ts";`, /nobody imports an index\.ts/],
  ["a later protocol", "protocols/tls/a.ts", `import "../http1/b.ts";`, /tls imports http1/],
  ["one protocol in a shared file", "protocols/a.ts", `import "./http1/b.ts";`, /a shared file imports one protocol/],
  ["an unknown folder", "utils/a.ts", ``, /utils has no place/],
  ["an unlisted package", "core/a.ts", `import ms from "some-package/deep";`, /some-package is no listed dependency/],
  ["a builtin without node:", "core/a.ts", `import net from "net";`, /write node:net/],
  ["node:http by import", "server/a.ts", `import { Server } from "node:http";`, /core\/node-modules\.ts loads it/],
  [
    "node:tls by import",
    "server/a.ts",
    `import type { A } from "node:net";\nimport * as b from "node:tls";`,
    /node:tls: core/,
  ],
  ["a Node timer", "server/a.ts", `setTimeout(fn, 10);`, /setTimeout\(: only core\/clock\.ts/],
  ["a Node interval", "server/a.ts", `const t = setInterval(fn, 10);`, /setInterval\(: only/],
  ["the wall clock", "server/a.ts", `const t = Date.now();`, /Date\.now: only/],
  ["Node's clock", "server/a.ts", `const t = performance.now();`, /performance: only/],
  ["Node's timers by import", "server/a.ts", `import { setTimeout as wait } from "node:timers/promises";`, /only core/],
];

for (const [what, file, text, said] of faults) {
  test(`${what} is against the layers`, async () => {
    const { code, printed } = await check({ "core/clock.ts": "", [file]: text });
    assert.equal(code, 1, printed);
    assert.match(printed, said);
  });
}

test("a folder without sources is a failure, not a success", async () => {
  const { code } = await check({});
  assert.equal(code, 1);
});
