/**
 * A program of this project as a child process, the way a user runs it.
 */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { projectRoot } from "./paths.ts";

export class Program {
  readonly child: ChildProcess;
  /** Settles with the exit code, or the name of the signal. */
  readonly ended: Promise<number | string>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}, options: SpawnOptions = {}) {
    // Not for tests: what the program does in production is what counts here.
    const { NODE_ENV: _test, ...inherited } = process.env;
    const settings = { cwd: projectRoot, env: { ...inherited, NO_COLOR: "1", ...env }, ...options };
    this.child = spawn(process.execPath, args, settings);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = once(this.child, "close").then(([code, signal]) => (code ?? signal) as number | string);
  }

  get pid(): number {
    return this.child.pid ?? Number.NaN;
  }

  /** Waits until the program has said something that matches. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout);
      if (match !== null) return match;
      const { stdout } = this.child;
      const event =
        stdout === null ? "ended" : await Promise.race([once(stdout, "data"), this.ended.then(() => "ended")]);
      if (event === "ended" && !pattern.test(this.stdout)) {
        throw new Error(`the program ended without saying ${pattern}\n${this.stdout}${this.stderr}`);
      }
    }
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }
}

/** So long after a signal that another one is no echo of it, which is told by the time of the machine. */
export function another(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 150));
}

/** Starts a program that ends with the test at the latest. */
export function startProgram(
  t: TestContext,
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
  options?: SpawnOptions,
): Program {
  const program = new Program(args, env, options);
  t.after(async () => {
    program.signal("SIGKILL");
    await program.ended;
  });
  return program;
}

/** Why a test that needs `programs` is skipped here, or false where they are there. */
export function lacks(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  return missing.length > 0 && `needs ${missing.join(" and ")}`;
}
