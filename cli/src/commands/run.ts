/**
 * `portreeve run <app>`: a program of node with its servers under a manager, its code untouched.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import inspector from "node:inspector";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { Command } from "commander";
import type { SafetyLimitName } from "portreeve";
import { managedLimits, signalDescriptorVariable } from "portreeve/settings";
import { readConfig } from "../config.ts";
import { UsageError, exitCodes } from "../errors.ts";
import { collectLimit, limitsHelp } from "../limits.ts";
import { environmentFor } from "../run-settings.ts";
import type { RunFlags } from "../run-settings.ts";

const handedOn = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** The limits that some kind of server enforces. */
export const runLimitNames: readonly SafetyLimitName[] = managedLimits;

export function runCommand(): Command {
  return new Command("run")
    .description("run a program with its servers under a manager, its code untouched")
    .argument("<app>", "the program, as node is given it")
    .argument("[args...]", "what the program is given")
    .option("--limit <name=value>", "set a safety limit; may be given often", collectLimit)
    .option("--grace <time>", "what work in flight is granted when the program is told to end (25s)")
    .option("--drain-delay <time>", "how long everything is still served before that (0s)")
    .option("--exclude <port>", "leave the server on this port alone; may be given often", collect)
    .option("--observe-only", "limits cut nothing, and it is said what they would have done")
    .option("--config <file>", "read this file instead of portreeve.config.json here or above")
    .passThroughOptions()
    .addHelpText("after", () => `\n${limitsHelp(runLimitNames)}`)
    .action(runProgram);
}

async function runProgram(app: string, args: readonly string[], flags: RunFlags): Promise<void> {
  const env = environmentFor(flags, process.env, await readConfig(flags.config));
  mustBeProgram(app);
  const preloads = [import.meta.resolve("portreeve/register"), new URL("../report.js", import.meta.url).href];
  // What systemd hands down passes through; the pipe for signals comes after it.
  const signalDescriptor = 3 + Math.min(Number(env["LISTEN_FDS"] ?? 0) || 0, 1000);
  const stdio = Array.from({ length: signalDescriptor }, () => "inherit" as const);
  // The program has our arguments to Node, and so our port for debuggers.
  if (inspector.url() !== undefined) inspector.close();
  const child = spawn(
    process.execPath,
    [...process.execArgv, ...preloads.flatMap((preload) => ["--import", preload]), app, ...args],
    { stdio: [...stdio, "pipe"], env: { ...env, [signalDescriptorVariable]: String(signalDescriptor) } },
  );
  await ended(child, child.stdio[signalDescriptor as 3] as unknown as Writable);
}

/** Hands signals on, and ends as the program does. */
function ended(child: ChildProcess, pipe: Writable): Promise<void> {
  // The program may have ended, or closed what it was given.
  pipe.on("error", () => {});
  // What a preload listens for is the program's.
  for (const name of handedOn) process.removeAllListeners(name);
  const handlers = handedOn.map((name) => [name, () => void pipe.write(`${name}\n`)] as const);
  for (const [name, handler] of handlers) process.on(name, handler);
  return new Promise((done, failed) => {
    child.once("error", failed);
    child.once("exit", (code, signal) => {
      pipe.destroy();
      for (const [name, handler] of handlers) process.off(name, handler);
      if (signal !== null) endBy(signal);
      else exitCodes.set(code ?? 0);
      done();
    });
  });
}

function endBy(signal: NodeJS.Signals): void {
  exitCodes.set(128 + constants.signals[signal]);
  // The kernel spares the first process of a container its default action.
  if (process.pid !== 1) process.kill(process.pid, signal);
}

/** As node finds it, so that what is missing is said in one line. */
function mustBeProgram(app: string): void {
  try {
    createRequire(join(process.cwd(), "/")).resolve(resolve(app));
  } catch {
    throw new UsageError(`${app}: no such program`);
  }
}

function collect(text: string, collected: readonly string[] = []): readonly string[] {
  return [...collected, text];
}
