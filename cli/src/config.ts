/**
 * `portreeve.config.json`: found in the working folder or above it, or named by `--config`.
 */
import { extname, relative } from "node:path";
import { lilconfig } from "lilconfig";
import type { LilconfigResult } from "lilconfig";
import { getDotPath, safeParse } from "valibot";
import { configSchema } from "./config-schema.ts";
import type { Config } from "./config-schema.ts";
import { UsageError } from "./errors.ts";

const configName = "portreeve.config.json";

export interface ConfigFile {
  /** As the user would write it. */
  readonly path: string;
  readonly config: Config;
}

/** @throws UsageError that names the file, what was expected and what it has */
export async function readConfig(named: string | undefined): Promise<ConfigFile | null> {
  const found = await load(named);
  if (found === null) return null;
  const path = relative(process.cwd(), found.filepath);
  const config: unknown = found.isEmpty === true ? undefined : found.config;
  const { success, output, issues } = safeParse(configSchema, config);
  if (!success) {
    const [issue] = issues;
    // A key that is not known is expected to be none.
    throw fault(path, getDotPath(issue), issue.expected === "never" ? "no such key" : issue.message, issue.received);
  }
  for (const [key, value] of [[null, config] as const, ["limits", (config as Config).limits] as const]) {
    // To valibot a list is an object, too.
    if (Array.isArray(value)) throw fault(path, key, "an object", "Array");
  }
  return { path, config: output };
}

function fault(path: string, key: string | null, expected: string, received: string): UsageError {
  return new UsageError(`${path}: ${key === null ? "" : `${key}: `}expected ${expected}, got ${received}`);
}

async function load(named: string | undefined): Promise<LilconfigResult> {
  // Any file may be named, whatever its ending: it is read as JSON, and never run.
  const loaders = { ".json": parse, [extname(named ?? "") || "noExt"]: parse };
  const search = lilconfig("portreeve", { searchPlaces: [configName], loaders, ignoreEmptySearchPlaces: false });
  try {
    return await (named === undefined ? search.search() : search.load(named));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof UsageError) throw error;
    if (named === undefined) throw new UsageError(message);
    throw new UsageError(`--config ${named}: ${code === "ENOENT" ? "no such file" : message}`);
  }
}

function parse(path: string, content: string): unknown {
  try {
    return JSON.parse(content) as unknown;
  } catch (error) {
    throw new UsageError(`${relative(process.cwd(), path)}: expected JSON: ${(error as Error).message}`);
  }
}
