/** Whether V8 keeps the properties of an object in their fast form, asked in a process of its own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { compiledRoot } from "./paths.ts";

const prelude = `
  import { once } from "node:events";
  const { manage, serve } = await import(process.argv[1] + "/src/index.js");
  const seen = [];
  const look = (object) => seen.push(%HasFastProperties(object));
`;

/** Runs a module that has `manage`, `serve` and `once`, and gives back what each `look(object)` of it saw. */
export function looksOf(script: string): boolean[] {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      "--allow-natives-syntax",
      "--input-type=module",
      "-e",
      `${prelude}${script}\nconsole.log(JSON.stringify(seen));`,
      compiledRoot,
    ],
    { encoding: "utf8" },
  );
  assert.equal(stderr, "");
  return JSON.parse(stdout) as boolean[];
}
