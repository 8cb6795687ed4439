import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { TemporaryFolder, root, run } from "../support/run-script.ts";
import { npm, pack } from "./packed.ts";
import type { Packed } from "./packed.ts";

const consumer = join(root, "test/package/consumer");

interface Manifest {
  exports: Record<string, unknown>;
  version: string;
}

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
const tarballs = new TemporaryFolder();
const project = new TemporaryFolder();
let library: Packed;
let cli: Packed;

before(async () => {
  library = await pack(".", tarballs.path);
  cli = await pack("./cli", tarballs.path);
  project.write("package.json", JSON.stringify({ name: "consumer", private: true }));
  await npm(project.path, "install", "--no-package-lock", join(tarballs.path, library.filename));
  for (const file of ["import.mjs", "require.cjs"]) cpSync(join(consumer, file), join(project.path, file));
});

after(() => {
  tarballs[Symbol.dispose]();
  project[Symbol.dispose]();
});

test("the package holds what its users need and nothing else", () => {
  const paths = library.files.map(({ path }) => path);
  const others = paths.filter((path) => !/^dist\/.+\.(js|js\.map|d\.ts)$/.test(path));
  assert.deepEqual(others.toSorted(), ["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
  const built = paths.filter((path) => path.endsWith(".d.ts")).map((path) => path.slice("dist/".length, -5));
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => path.slice(0, -3));
  assert.deepEqual(built.toSorted(), sources.toSorted(), "dist has what src has, and nothing of files that are gone");
});

test("the package of the command line holds the command and nothing else", () => {
  const paths = cli.files.map(({ path }) => path);
  const others = paths.filter((path) => !/^dist\/.+\.(js|js\.map)$/.test(path));
  assert.deepEqual(others.toSorted(), [
    "LICENSE",
    "README.md",
    "bin/portreeve.js",
    "package.json",
    "portreeve.schema.json",
  ]);
});

test("JavaScript uses every entry by import", async () => {
  const { code, printed } = await run(process.execPath, ["import.mjs"], project.path);
  assert.deepEqual(
    [code, printed],
    [
      0,
      `${JSON.stringify({ reason: "read-timeout", fired: true, answer: "hello\nquit\n", same: true, forms: ["b", "ERR_PORTREEVE_FORM_DATA_PARSER"], grace: 3000, signals: 1 })}\n`,
    ],
  );
});

test("CommonJS uses every entry by require, without a warning", async () => {
  const { code, printed } = await run(process.execPath, ["require.cjs"], project.path);
  assert.deepEqual(
    [code, printed],
    [
      0,
      `${JSON.stringify({ name: "portreeve", fired: true, manager: true, same: true, forms: "function", grace: 3000, signals: 1 })}\n`,
    ],
  );
});

test("the consumers of this test use every public entry", () => {
  for (const file of ["consumer.ts", "import.mjs", "require.cjs"]) {
    const text = readFileSync(join(consumer, file), "utf8");
    for (const entry of Object.keys(manifest.exports)) {
      // Importing JSON needs an attribute that not all of them know.
      if (file !== "require.cjs" && entry.endsWith(".json")) continue;
      assert.ok(text.includes(JSON.stringify(`portreeve${entry.slice(1)}`)), `${file} does not use ${entry}`);
    }
  }
});

test("the two packages, installed together, give a command that serves a folder", async () => {
  using folder = new TemporaryFolder({
    "package.json": JSON.stringify({ name: "site", private: true }),
    "site/index.html": "<h1>It is up</h1>\n",
  });
  const packages = [library, cli].map(({ filename }) => join(tarballs.path, basename(filename)));
  await npm(folder.path, "install", "--no-package-lock", ...packages);
  assert.equal(await npm(folder.path, "exec", "--no", "portreeve", "--", "--version"), `${manifest.version}\n`);

  const command = join(folder.path, "node_modules/.bin/portreeve");
  const child = spawn(command, ["serve", "site", "--port", "0"], {
    cwd: folder.path,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const exited = once(child, "exit");
  try {
    while (!lines.some((line) => line.includes("http:"))) await once(output, "line");
    const url = /http:\/\/[\d.:]+\//.exec(lines.join("\n"))?.[0];
    assert.ok(url, lines.join("\n"));
    const answer = await fetch(url);
    assert.equal(await answer.text(), "<h1>It is up</h1>\n");
  } finally {
    child.kill("SIGTERM");
  }
  assert.deepEqual(await exited, [0, null]);
});
