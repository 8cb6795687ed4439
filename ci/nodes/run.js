// Runs the compiled tests on each of the newer Nodes: `node ci/nodes/run.js`, or with words as scripts/run-tests.js
// takes them. Compile first (`npm test` does). Linux on x64 only.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

const here = new URL(".", import.meta.url).pathname;
const root = join(here, "../..");
// These run no Node of ours: compilers over declarations, and checkers of the sources.
const elsewhere = ["!package/declarations", "!test/scripts/", "!test/types/"];
const words = process.argv.slice(2);

const { dependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const versionOf = (name) =>
  spawnSync(join(here, "node_modules", name, "bin/node"), ["--version"], { encoding: "utf8" }).stdout?.trim();
if (!Object.entries(dependencies).every(([name, wanted]) => wanted.endsWith(`@${versionOf(name)?.slice(1)}`))) {
  const { status } = spawnSync("npm", ["ci", "--prefix", here, "--loglevel=error"], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

let failed = false;
for (const name of Object.keys(dependencies)) {
  const bin = join(here, "node_modules", name, "bin");
  const node = join(bin, "node");
  // Programs that tests start by name get the same Node.
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const began = Date.now();
  const { status, stdout, stderr } = spawnSync(
    node,
    ["scripts/run-tests.js", ...(words.length > 0 ? words : elsewhere)],
    {
      cwd: root,
      env,
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    },
  );
  const passed = status === 0;
  failed ||= !passed;
  if (!passed) console.log(stdout.slice(Math.max(0, stdout.indexOf("failing tests:"))), stderr);
  const counts = /ℹ tests \d+[^]*?ℹ duration/.exec(stdout)?.[0] ?? "";
  const [tests = "0", skipped = "0"] = [/ℹ tests (\d+)/, /ℹ skipped (\d+)/].map((count) => count.exec(counts)?.[1]);
  const seconds = Math.round((Date.now() - began) / 1000);
  console.log(`${versionOf(name)}: ${passed ? "passed" : "FAILED"}, ${tests} tests, ${skipped} skipped, ${seconds} s`);
}
process.exitCode = failed ? 1 : 0;
