// Runs the frameworks' own programs under Portreeve: `node ci/frameworks/run.js [--all] [words]`, on this Node, or with
// --all also on the newer ones of ci/nodes; words choose test files as in scripts/run-tests.js. Build first.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const here = import.meta.dirname;
const words = process.argv.slice(2).filter((word) => word !== "--all");
const files = readdirSync(join(here, "test"))
  .filter((file) => file.endsWith(".test.js") && (words.length === 0 || words.some((word) => file.includes(word))))
  .map((file) => join(here, "test", file));
if (files.length === 0) {
  console.error(`no test file matches ${words.join(", ")}`);
  process.exit(2);
}

const changed = (file) => statSync(join(here, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (changed("node_modules/.package-lock.json") < changed("package-lock.json")) {
  // No package of these needs to run anything to be installed.
  const { status } = spawnSync("npm", ["ci", "--prefix", here, "--ignore-scripts", "--loglevel=error"], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(1);
}

const nodes = [process.execPath];
if (process.argv.includes("--all")) {
  const folder = join(here, "../nodes");
  const { dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  nodes.push(...Object.keys(dependencies).map((name) => join(folder, "node_modules", name, "bin/node")));
  const missing = nodes.filter((node) => !existsSync(node));
  if (missing.length > 0) {
    console.error(`missing, until node ci/nodes/run.js has run: ${missing.join(", ")}`);
    process.exit(1);
  }
}

const options = ["--test", "--test-timeout=60000", "--test-reporter=tap"];
for (const node of nodes) {
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const run = spawnSync(node, [...options, ...files], { cwd: here, env, encoding: "utf8", maxBuffer: 2 ** 28 });
  const count = (name) => new RegExp(`^# ${name} (\\d+)`, "m").exec(run.stdout)?.[1] ?? "?";
  const passed = run.status === 0;
  if (!passed) {
    console.log(run.stdout, run.stderr);
    process.exitCode = 1;
  }
  const { stdout: version } = spawnSync(node, ["--version"], { encoding: "utf8" });
  const seconds = Math.round(Number(count("duration_ms")) / 1000);
  console.log(
    `${version.trim()}: ${passed ? "passed" : "FAILED"}, ${count("pass")} of ${count("tests")}, ${seconds} s`,
  );
}
