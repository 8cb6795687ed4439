import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { projectRoot as root } from "./paths.ts";

export { root };

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  /** What it printed, on both streams. */
  readonly printed: string;
}

/** Runs a program until it ends, whatever its exit code. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string = root,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, printed: stdout + stderr });
    });
  });
}

/** Runs one of the project's scripts. */
export function runScript(name: string, ...args: readonly string[]): Promise<Outcome> {
  return run(process.execPath, [join(root, "scripts", name), ...args]);
}

/** Files in a new folder, removed when it is disposed of. */
export class TemporaryFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), "portreeve-"));

  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string): void {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
