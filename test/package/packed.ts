import assert from "node:assert/strict";
import { root, run } from "../support/run-script.ts";

/** What `npm pack` says of a tarball. */
export interface Packed {
  filename: string;
  files: { path: string }[];
}

/** Runs npm, quietly; what is in npm's cache is not asked for again. */
export async function npm(cwd: string, ...args: string[]): Promise<string> {
  const { code, printed, stdout } = await run("npm", [...args, "--prefer-offline", "--loglevel=error"], cwd);
  assert.equal(code, 0, printed);
  return stdout;
}

/** Packs a folder of the project as it would be published. */
export async function pack(folder: string, destination: string): Promise<Packed> {
  const printed = await npm(root, "pack", folder, "--json", "--pack-destination", destination);
  const [packed] = JSON.parse(printed) as Packed[];
  assert.ok(packed);
  return packed;
}
