/** A program that may have hardly any descriptors. */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import process from "node:process";
import type { TestContext } from "node:test";
import { compiledRoot } from "./paths.ts";

/** Why such a test cannot run here; false where it can. */
export const skip: string | false = process.platform !== "linux" && "needs ulimit and /proc";

/**
 * Runs a module with at most so many descriptors, until the test is over. Its first argument is the root of the compiled
 * project.
 * @returns the program, and what it has complained about so far
 */
export function startWithDescriptors(
  t: TestContext,
  descriptors: number,
  script: string,
): { readonly program: ChildProcessWithoutNullStreams; complaints(): string } {
  const program = spawn("sh", [
    "-c",
    `ulimit -n ${descriptors}; exec "$0" --input-type=module -e "$1" "$2"`,
    process.execPath,
    script,
    compiledRoot,
  ]);
  t.after(() => program.kill());
  let text = "";
  program.stderr.setEncoding("utf8").on("data", (more: string) => (text += more));
  return { program, complaints: () => text };
}
