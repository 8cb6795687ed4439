/**
 * `portreeve serve` on a folder of its own, the way a user runs it.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { startProgram } from "../support/program.ts";
import type { Program } from "../support/program.ts";

const bin = "cli/bin/portreeve.js";
export const bigSize = 64 * 2 ** 20;

/** A folder to serve, with a secret beside it. */
export function makeSite(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "portreeve-site-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const root = join(folder, "root");
  mkdirSync(join(root, "folder/empty"), { recursive: true });
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(root, "index.html"), "<h1>home</h1>");
  writeFileSync(join(root, "digits.txt"), "0123456789");
  writeFileSync(join(root, "empty.txt"), "");
  writeFileSync(join(root, "with space é.txt"), "named");
  writeFileSync(join(root, ".hidden"), "hidden");
  mkdirSync(join(root, ".git"));
  writeFileSync(join(root, ".git/config"), "hidden");
  writeFileSync(join(root, "folder/index.html"), "<h1>inside</h1>");
  writeFileSync(join(root, "big.bin"), "");
  truncateSync(join(root, "big.bin"), bigSize);
  symlinkSync(join(folder, "secret.txt"), join(root, "out.txt"));
  symlinkSync(folder, join(root, "up"));
  symlinkSync("digits.txt", join(root, "in.txt"));
  return root;
}

export interface Served {
  program: Program;
  port: number;
  url: string;
}

/** Starts `portreeve serve` on any free port. */
export async function startServe(t: TestContext, folder: string, ...flags: string[]): Promise<Served> {
  const program = startProgram(t, [bin, "serve", folder, "--port", "0", ...flags]);
  const [, url = "", port] = await program.says(/^serving .* on (https?:\/\/\S+:(\d+)\/)$/m);
  return { program, port: Number(port), url };
}

/** Runs the command line to its end. */
export async function run(
  t: TestContext,
  ...args: string[]
): Promise<{ stdout: string; stderr: string; code: number | string }> {
  const program = startProgram(t, [bin, ...args]);
  const code = await program.ended;
  return { stdout: program.stdout, stderr: program.stderr, code };
}
