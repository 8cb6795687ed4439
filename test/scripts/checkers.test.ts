import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { TemporaryFolder, root, run, runScript } from "../support/run-script.ts";

/** Runs a checker on a folder with the files, and demands that it finds fault, in these words. */
async function fails(
  script: string,
  files: Readonly<Record<string, string>>,
  said: RegExp,
  target = "",
): Promise<void> {
  using folder = new TemporaryFolder(files);
  const { code, printed } = await runScript(script, join(folder.path, target));
  assert.equal(code, 1, printed);
  assert.match(printed, said);
}

async function passes(script: string, files: Readonly<Record<string, string>>, target = ""): Promise<void> {
  using folder = new TemporaryFolder(files);
  const { code, printed } = await runScript(script, join(folder.path, target));
  assert.equal(code, 0, printed);
}

const example = (code: string, language = "ts"): Record<string, string> => ({
  "README.md": `# Title\n\n\`\`\`${language}\n${code}\n\`\`\`\n`,
});

test("an example that compiles and ends well passes", async () => {
  await passes(
    "check-docs.js",
    example(`import { makeCustodian } from "portreeve";\nawait makeCustodian().shutdownAll();`),
  );
});

test("an example that does not compile is found, with the line of the document", async () => {
  await fails("check-docs.js", example(`import { serv } from "portreeve";`), /README-md-1\.ts\(4,10\): error TS/);
});

test("an example that throws is found", async () => {
  await fails(
    "check-docs.js",
    example(`throw new Error("boom");`),
    /README\.md:3: the example ended with exit code 1[^]*boom/,
  );
});

test("an example in JavaScript is run too", async () => {
  await fails("check-docs.js", example(`process.exit(3);`, "js"), /ended with exit code 3/);
});

const comment = (code: string): Record<string, string> => ({
  "src/index.ts": `/**\n * \`\`\`ts\n * ${code}\n * \`\`\`\n */\n`,
});

test("an example in a doc comment is compiled and not run", async () => {
  await passes("check-docs.js", comment(`process.exit(3);`));
  await fails("check-docs.js", comment(`const x: string = 5;`), /src-index-ts-1\.ts\(3,7\): error TS/);
});

test("a link that leads nowhere is found", async () => {
  await passes("check-docs.js", { "README.md": "[a](docs/a.md#part) [b](https://example.org/)", "docs/a.md": "" });
  await fails("check-docs.js", { "README.md": "[a](docs/a.md)" }, /README\.md: the link docs\/a\.md leads nowhere/);
});

test("a document that a comment names and nobody wrote is found", async () => {
  await fails("check-docs.js", { "src/a.ts": "// See docs/a.md." }, /src\/a\.ts: docs\/a\.md does not exist/);
});

const documents = ["events.md", "errors.md", "close-reasons.md", "limits.md", "custodians.md"] as const;
const tables = Object.fromEntries(
  documents.map((name) => [name, readFileSync(join(root, "docs", name), "utf8")]),
) as Record<(typeof documents)[number], string>;

for (const [what, file, from, to, said] of [
  ["an event left out", "events.md", /^\|.*connection\.opened.*\n/m, "", /connection\.opened is missing/],
  [
    "an event that is none",
    "events.md",
    "portreeve.drain.started",
    "portreeve.drain.begun",
    /there is no portreeve\.drain\.begun/,
  ],
  [
    "a wrong field of an event",
    "events.md",
    "`servers`, `report`",
    "`socket`, `report`",
    /drain\.finished: says "socket, report"/,
  ],
  ["an error left out", "errors.md", /^\|.*ListenError.*\n/m, "", /ListenError is missing/],
  [
    "a wrong code",
    "errors.md",
    "ERR_PORTREEVE_LISTEN`",
    "ERR_PORTREEVE_PORT`",
    /ListenError: says "ERR_PORTREEVE_PORT/,
  ],
  ["a wrong field of an error", "errors.md", /`systemCode` +\|$/m, "`errno` |", /is "ERR_PORTREEVE_LISTEN systemCode"/],
  ["a close reason left out", "close-reasons.md", /^\| `max-age`.*\n/m, "", /max-age is missing/],
  ["a wrong status of a close reason", "close-reasons.md", "| 408 ", "| 409 ", /read-timeout: says "linger 409/],
  ["a limit left out", "limits.md", /^\| `maxWaiting`.*\n/m, "", /maxWaiting is missing/],
  ["a wrong default of a limit", "limits.md", "75s", "76s", /idleTimeout: says "\[76000/],
  [
    "a limit said to be enforced that is not",
    "limits.md",
    /^(\| `maxConcurrentPerClient`.*Infinity *\| Infinity *\|) +\|/m,
    "$1 `serve` |",
    /maxConcurrentPerClient: says/,
  ],
  ["a kind of resource left out", "custodians.md", /^\| worker .*\n/m, "", /worker is missing/],
] as const) {
  test(`the tables of the documents: ${what} is found`, async () => {
    const text = tables[file];
    const changed = text.replace(from, to);
    assert.notEqual(changed, text);
    await fails("check-tables.js", { ...tables, [file]: changed }, said);
  });
}

const lock = (resolved: string): Record<string, string> => ({
  "deep/package-lock.json": JSON.stringify({ packages: { "node_modules/x": { resolved } } }),
});

test("a lock file with a URL is found, wherever it lies; a workspace's folder is fine", async () => {
  await passes("check-locks.js", lock("cli"));
  await fails(
    "check-locks.js",
    lock("https://example.org/x.tgz"),
    /deep\/package-lock\.json: node_modules\/x is resolved to a URL/,
  );
  await fails("check-locks.js", {}, /no package-lock\.json/);
});

/** A document with all sentences, whose row for the second sentence of the page is the one given. */
function racket(where: string, tests: string): Record<string, string> {
  const counts: readonly (readonly [string, number, number])[] = [
    ["page", 1, 2],
    ["connection", 0, 6],
    ["connection-manager?", 0, 0],
    ["start-connection-manager", 0, 8],
    ["new-connection", 0, 7],
    ["kill-connection!", 0, 1],
    ["adjust-connection-timeout!", 0, 1],
    ["reset-connection-timeout!", 0, 2],
  ];
  const rows = counts.flatMap(([entry, first, last]) =>
    Array.from({ length: last - first + 1 }, (_, index) => `| ${entry} ${first + index} | it | — history | |`),
  );
  const table = ["| # | what | where | proved by |", "| --- | --- | --- | --- |", ...rows].join("\n");
  return { "racket.md": `${table}\n`.replace(/^\| page 2 .*$/m, `| page 2 | it | ${where} | ${tests} |`) };
}

const goodWhere = "`src/connection/connection.ts` `Connection.kill`, `Connection`";
const goodTest = '`test/scripts/checkers.test.ts` "a link that leads nowhere is found"';

test("a map of Racket's page whose files, symbols and tests exist passes", async () => {
  await passes("check-racket-doc.js", racket(goodWhere, goodTest), "racket.md");
});

for (const [what, where, tests, said] of [
  ["a file", "`src/nowhere.ts` `kill`", goodTest, /there is no file src\/nowhere\.ts/],
  ["a symbol", "`src/connection/connection.ts` `Konnection`", goodTest, /has no Konnection/],
  ["a method", "`src/connection/connection.ts` `Connection.explode`", goodTest, /has no Connection\.explode/],
  ["a test", goodWhere, '`test/scripts/checkers.test.ts` "no such test"', /has no test "no such test"/],
  ["a test file", goodWhere, '`test/nowhere.test.ts` "x"', /there is no file test\/nowhere/],
] as const) {
  test(`a map of Racket's page that names ${what} that does not exist is found`, async () => {
    await fails("check-racket-doc.js", racket(where, tests), said, "racket.md");
  });
}

test("a map of Racket's page with a row that names nothing is found", async () => {
  await fails("check-racket-doc.js", racket("somewhere", "somehow"), /names no symbol[^]*names no test/, "racket.md");
});

test("a map of Racket's page without one of its sentences is found", async () => {
  const { "racket.md": text = "" } = racket(goodWhere, goodTest);
  const shorter = text.replace(/^\| new-connection 5 .*\n/m, "");
  await fails("check-racket-doc.js", { "racket.md": shorter }, /sentence 5 of new-connection is missing/, "racket.md");
});

test("npm run check runs what is named, refuses what it does not know, and fails when one check does", async () => {
  const good = await runScript("check.js", "layers", "locks");
  assert.equal(good.code, 0, good.printed);
  assert.match(good.printed, /every check passed/);
  assert.equal((await runScript("check.js", "everything")).code, 2);
  // Without a PATH the formatter is not found.
  const bad = await run(process.execPath, ["scripts/check.js", "format", "layers"], root, { PATH: "" });
  assert.equal(bad.code, 1, bad.printed);
  assert.match(bad.printed, /failed: format\n/);
});
