/**
 * The command line: `portreeve <command>`. One file a command in commands/; this one puts them together.
 */
import { readFileSync } from "node:fs";
import tab from "@bomb.sh/tab/commander";
import { Command, CommanderError } from "commander";
import { serveCommand } from "./commands/serve.ts";
import { UsageError, exitCodes, explain } from "./errors.ts";
import { defaultOf, servedLimitNames } from "./limits.ts";

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return manifest.version;
}

function makeProgram(): Command {
  const program = new Command("portreeve")
    .description("The connection manager for Node.js servers.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .showSuggestionAfterError(true)
    // What goes wrong is said once, in one line, by run().
    .configureOutput({ outputError: () => {}, writeErr: () => {} });
  // Commands take their settings from the program when they are made by it.
  program.addCommand(serveCommand().copyInheritedSettings(program));
  program.exitOverride();
  for (const command of program.commands) command.exitOverride();
  return program;
}

/** Shell completions: `portreeve complete zsh` prints the script; limits complete by name. */
function addCompletions(program: Command): void {
  const completion = tab(program);
  const limit = completion.commands.get("serve")?.options.get("limit");
  if (limit === undefined) return;
  limit.handler = (complete) => {
    for (const name of servedLimitNames) complete(`${name}=`, `by default ${defaultOf(name)}`);
  };
}

/** Runs the command line and gives the exit code: 0, 1 for a failure, 2 for a wrong use, 128 + n after a signal n. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = makeProgram();
  addCompletions(program);
  try {
    await program.parseAsync([...argv]);
    return exitCodes.pending();
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const { line, code } = explain(error instanceof CommanderError ? usageError(error) : error);
    process.stderr.write(`portreeve: ${line}\n`);
    return code;
  }
}

function usageError({ code, message }: CommanderError): UsageError {
  if (code === "commander.help") return new UsageError("no command given; see portreeve --help");
  // What did you mean stands on a line of its own.
  return new UsageError(message.replace(/^error: /, "").replaceAll(/\s+/g, " "));
}
