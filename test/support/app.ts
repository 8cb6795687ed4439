/**
 * Apps that know nothing of Portreeve, as child processes, managed with no code: by `--import`, or by `portreeve run`.
 */
import type { SpawnOptions } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestContext } from "node:test";
import { projectRoot } from "./paths.ts";
import { startProgram } from "./program.ts";
import type { Program } from "./program.ts";
import { connectTo } from "./tcp-client.ts";
import type { TcpClient } from "./tcp-client.ts";

export const register: string = pathToFileURL(join(projectRoot, "dist/manage/register.js")).href;
const command = join(projectRoot, "cli/bin/portreeve.js");

/** What every app of these tests may use: a web server whose requests to /slow take 600 ms, and whose /never is never answered. */
const prelude = `
const { createServer } = http;
const handler = (request, response) => {
  if (request.url === "/never") return console.log("got /never");
  if (request.url !== "/slow") return response.end("quick");
  console.log("got /slow");
  setTimeout(() => response.end("slow"), 600);
};
const listen = (server, ...where) => server.listen(...where, () => {
  const address = server.address();
  console.log("listening " + (address?.port ?? address) + ";");
});
`;

const modules = ["http", "http2", "https", "net", "tls", "cluster"];
const heads = {
  cjs: modules.map((name) => `const ${name} = require("node:${name}");\n`).join(""),
  mjs: modules.map((name) => `import ${name} from "node:${name}";\n`).join(""),
};

export interface AppOptions {
  kind?: keyof typeof heads;
  env?: NodeJS.ProcessEnv;
  /** The flags of `portreeve run`; without them the app is run by `node --import portreeve/register`. */
  run?: readonly string[];
  args?: readonly string[];
  spawn?: SpawnOptions;
}

/** Writes an app, inside the project, so that it finds its packages. @returns its path */
export function writeApp(t: TestContext, code: string, kind: keyof typeof heads = "cjs"): string {
  mkdirSync(join(projectRoot, ".build"), { recursive: true });
  const folder = mkdtempSync(join(projectRoot, ".build/app-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, `app.${kind}`);
  writeFileSync(file, heads[kind] + prelude + code);
  return file;
}

export function startApp(t: TestContext, code: string, options: AppOptions = {}): Program {
  const { kind, env, run, args = [], spawn } = options;
  const app = writeApp(t, code, kind);
  const start = run === undefined ? ["--import", register] : [command, "run", ...run];
  return startProgram(t, [...start, app, ...args], env, spawn);
}

/** The port on which an app says that it listens. */
export async function portOf(app: Program): Promise<number> {
  const [, port] = await app.says(/^listening (\d+);$/m);
  return Number(port);
}

export const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** A client that has been answered and is kept alive. */
export async function idleClient(t: TestContext, port: number): Promise<TcpClient> {
  const client = await connectTo(t, port);
  client.write(get("/quick"));
  await client.gets(/quick/);
  return client;
}

/** A client whose request the app's handler has begun and not answered. */
export async function busyClient(t: TestContext, app: Program, port: number, path = "/slow"): Promise<TcpClient> {
  const client = await connectTo(t, port);
  client.write(get(path));
  await app.says(new RegExp(`got ${path}`));
  return client;
}
