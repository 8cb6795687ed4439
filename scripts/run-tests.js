// Runs the compiled tests: `npm test`, or `npm test -- timers` for the files whose path contains "timers"; with "!timers"
// for all but those.
// A promise that needs a program this machine lacks is skipped by name; with CI=true a skip is a failure.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";

const root = new URL("..", import.meta.url).pathname;
const words = process.argv.slice(2);
const wanted = words.filter((word) => !word.startsWith("!"));
const unwanted = words.filter((word) => word.startsWith("!")).map((word) => word.slice(1));
const files = readdirSync(join(root, ".build/test"), { recursive: true })
  .map((file) => join(".build/test", file))
  .filter((file) => file.endsWith(".test.js") && (wanted.length === 0 || wanted.some((word) => file.includes(word))))
  .filter((file) => !unwanted.some((word) => file.includes(word)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${words.join(", ")}`);
  process.exit(2);
}
const run = spawnSync(
  process.execPath,
  [
    "--enable-source-maps",
    "--expose-gc",
    "--test-timeout=180000",
    // Node leaves one processor idle; and many tests wait.
    `--test-concurrency=${availableParallelism() + 1}`,
    "--test",
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=./scripts/skip-reporter.js",
    "--test-reporter-destination=stderr",
    ...files,
  ],
  { cwd: root, stdio: "inherit", env: { ...process.env, NODE_ENV: "test" } },
);
process.exit(run.status ?? 1);
