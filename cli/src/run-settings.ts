/**
 * The settings of `portreeve run`: flags before environment before file, handed to the program as its environment.
 */
import { ArgumentRangeError, ArgumentTypeError } from "portreeve";
import type { SafetyLimitName } from "portreeve";
import { limitVariable, settingsFrom, variables } from "portreeve/settings";
import type { ConfigFile } from "./config.ts";
import { UsageError } from "./errors.ts";

export interface RunFlags {
  limit?: ReadonlyMap<string, string>;
  grace?: string;
  drainDelay?: string;
  exclude?: readonly string[];
  observeOnly?: true;
  config?: string;
}

/** The value of a variable, and where the user set it. */
interface Setting {
  readonly value: string;
  readonly where: string;
}

/** The environment of the program. @throws UsageError that names the flag, the variable or the place in the file */
export function environmentFor(
  flags: RunFlags,
  environment: NodeJS.ProcessEnv,
  file: ConfigFile | null,
): NodeJS.ProcessEnv {
  const set = new Map([...fromFile(file), ...fromEnvironment(environment), ...fromFlags(flags)]);
  const whole = { ...environment, ...Object.fromEntries(Array.from(set, ([name, { value }]) => [name, value])) };
  try {
    settingsFrom(whole);
  } catch (error) {
    if (!(error instanceof ArgumentTypeError || error instanceof ArgumentRangeError)) throw error;
    const [variable = ""] = error.path.split(".", 1);
    throw new UsageError(error.message.replace(variable, set.get(variable)?.where ?? variable));
  }
  return whole;
}

function fromFlags({ limit, grace, drainDelay, exclude, observeOnly }: RunFlags): Map<string, Setting> {
  const set = new Map<string, Setting>();
  for (const [name, value] of limit ?? []) {
    set.set(limitVariable(name as SafetyLimitName), { value, where: `--limit ${name}` });
  }
  const put = (variable: string, where: string, value: string | undefined): void => {
    if (value !== undefined) set.set(variable, { value: mustSay(value, where), where });
  };
  put(variables.grace, "--grace", grace);
  put(variables.drainDelay, "--drain-delay", drainDelay);
  put(variables.exclude, "--exclude", exclude?.join(","));
  put(variables.observeOnly, "--observe-only", observeOnly && "1");
  return set;
}

function fromEnvironment(environment: NodeJS.ProcessEnv): Map<string, Setting> {
  const set = new Map<string, Setting>();
  for (const [name, value] of Object.entries(environment)) {
    if (name.startsWith("PORTREEVE_") && value) set.set(name, { value, where: name });
  }
  return set;
}

function fromFile(file: ConfigFile | null): Map<string, Setting> {
  const set = new Map<string, Setting>();
  if (file === null) return set;
  const { limits, ...others } = file.config;
  const put = (variable: string, key: string, value: unknown): void => {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return;
    const where = `${file.path}: ${key}`;
    set.set(variable, { value: mustSay(asText(value), where), where });
  };
  for (const [name, value] of Object.entries(limits ?? {})) {
    put(limitVariable(name as SafetyLimitName), `limits.${name}`, value);
  }
  for (const [key, variable] of Object.entries(variables)) put(variable, key, others[key as keyof typeof variables]);
  return set;
}

/** An empty variable would be none. */
function mustSay(value: string, where: string): string {
  if (value === "") throw new UsageError(`${where}: expected a value, got ""`);
  return value;
}

function asText(value: unknown): string {
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "string" ? value : JSON.stringify(value);
}
