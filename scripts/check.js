// Everything that is checked without running the tests: `npm run check`, or `npm run check -- layers docs` for some.
// Each check runs even when an earlier one has failed; the end names those that failed.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const root = new URL("..", import.meta.url).pathname;
const packed = mkdtempSync(join(tmpdir(), "portreeve-check-"));

function bin(name, ...args) {
  return () => run("npx", ["--no-install", name, ...args]);
}

function script(name, ...args) {
  return () => run(process.execPath, [join("scripts", name), ...args]);
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (error !== undefined) console.error(error.message);
  return status === 0;
}

/** Runs a check of packages on the tarball of each of `folders`, as users get it. */
function onTarballs(folders, name, ...args) {
  return () =>
    folders
      .map((folder) => {
        const pack = spawnSync("npm", ["pack", folder, "--json", "--loglevel=error", "--pack-destination", packed], {
          cwd: root,
          encoding: "utf8",
        });
        if (pack.status !== 0) {
          console.error(pack.stderr);
          return false;
        }
        const [{ filename }] = JSON.parse(pack.stdout);
        return run("npx", ["--no-install", name, ...args, join(packed, filename)]);
      })
      .every(Boolean);
}

const checks = {
  format: bin("oxfmt", "--check"),
  lint: bin("oxlint", "--type-aware", "--deny-warnings", "src", "cli", "test", "examples", "bench", "scripts", "ci"),
  layers: script("check-layers.js"),
  locks: script("check-locks.js"),
  unused: bin("knip"),
  publint: onTarballs([".", "./cli"], "publint", "run", "--strict"),
  types: onTarballs(["."], "attw", "--profile", "esm-only", "--no-emoji", "--format", "ascii"),
  docs: script("check-docs.js"),
  tables: script("check-tables.js"),
  schema: script("make-schema.js", "--check"),
  racket: script("check-racket-doc.js"),
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(checks, name));
if (unknown.length > 0) {
  console.error(`no check is named ${unknown.join(", ")}; there are ${Object.keys(checks).join(", ")}`);
  process.exit(2);
}
const failed = [];
for (const [name, check] of Object.entries(checks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n--- ${name}`);
  if (!check()) failed.push(name);
}
rmSync(packed, { recursive: true });
console.log(failed.length === 0 ? "\nevery check passed" : `\nfailed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
