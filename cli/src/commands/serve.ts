/**
 * `portreeve serve <folder>`: a folder over HTTP/1.1, every connection under a manager.
 */
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Server as SecureServer } from "node:https";
import { isIP } from "node:net";
import type { AddressInfo } from "node:net";
import { constants } from "node:os";
import { bold, dim } from "ansis";
import { Command, InvalidArgumentError } from "commander";
import { ListenError, manage } from "portreeve";
import type { DrainReport, Managed } from "portreeve";
import { signalEcho } from "portreeve/settings";
import type { SubjectAltNameEntry } from "selfsigned";
import { drainLine } from "../drain-line.ts";
import { UsageError, exitCodes } from "../errors.ts";
import { collectLimit, inTermsOfFlags, limitsHelp, limitsOf, servedLimitNames } from "../limits.ts";
import { staticFiles } from "../static-files.ts";

interface ServeFlags {
  host: string;
  port: number;
  tlsSelfSigned?: true;
  limit?: ReadonlyMap<string, string>;
}

const signals = ["SIGTERM", "SIGINT"] as const;

export function serveCommand(): Command {
  return new Command("serve")
    .description("serve a folder over HTTP/1.1, every connection under a manager")
    .argument("<folder>", "the folder to serve")
    .option("--host <address>", "the address to listen on", "127.0.0.1")
    .option("--port <number>", "the port to listen on; 0 for any that is free", parsePort, 8080)
    .option("--tls-self-signed", "speak HTTPS with a certificate made now")
    .option("--limit <name=value>", "set a safety limit; may be given often", collectLimit)
    .addHelpText("after", () => `\n${limitsHelp(servedLimitNames)}`)
    .action(serveFolder);
}

async function serveFolder(folder: string, flags: ServeFlags): Promise<void> {
  await mustBeFolder(folder);
  const given = flags.limit ?? new Map<string, string>();
  const safetyLimits = limitsOf(given);
  const files = await staticFiles(folder);
  const web: Server | SecureServer = flags.tlsSelfSigned
    ? createSecureServer(await selfSigned(flags.host), files)
    : createServer(files);
  const managed = inTermsOfFlags(() => manage(web, { safetyLimits }), given);
  const host = flags.host.includes(":") ? `[${flags.host}]` : flags.host;
  const port = await listen(web, flags, `${host}:${flags.port}`);
  const stopped = untilStopped(managed);
  const url = `${flags.tlsSelfSigned ? "https" : "http"}://${host}:${port}/`;
  say(`serving ${folder} on ${bold(url)}`);
  say(dim("Ctrl-C drains, twice closes at once"));
  await stopped;
}

/** Listens. @returns the port */
async function listen(web: Server | SecureServer, { host, port }: ServeFlags, where: string): Promise<number> {
  try {
    await once(web.listen({ host, port }), "listening");
  } catch (error) {
    throw new ListenError(where, error as NodeJS.ErrnoException);
  }
  return (web.address() as AddressInfo).port;
}

/** Settles when a signal has drained the server, or a second one closed it. */
async function untilStopped(managed: Managed): Promise<void> {
  // Whoever reads our lines may leave earlier than we do.
  process.stdout.on("error", () => {});
  let heldSince = 0;
  const report = await new Promise<DrainReport>((resolve) => {
    const onSignal = (signal: (typeof signals)[number]): void => {
      if (!managed.ready) {
        if (performance.now() - heldSince < signalEcho) return;
        exitCodes.set(128 + constants.signals[signal]);
        void managed.close();
        return;
      }
      heldSince = performance.now();
      const { size } = managed.connections;
      say(`${signal}: draining ${size} connection${size === 1 ? "" : "s"}`);
      resolve(managed.drain());
    };
    for (const name of signals) process.on(name, onSignal);
  });
  say(drainLine(report));
}

async function mustBeFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw new UsageError(
      `${path}: ${(error as NodeJS.ErrnoException).code === "ENOENT" ? "no such folder" : String(error)}`,
    );
  });
  if (!found.isDirectory()) throw new UsageError(`${path}: not a folder`);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("Expected a number from 0 to 65535.");
  return port;
}

/** Loaded only when asked for: making keys is no small library. */
async function selfSigned(host: string): Promise<{ key: string; cert: string }> {
  const { generate } = await import("selfsigned");
  const name: SubjectAltNameEntry = isIP(host) === 0 ? { type: 2, value: host } : { type: 7, ip: host };
  const altNames: SubjectAltNameEntry[] = [name, { type: 2, value: "localhost" }];
  const made = await generate([{ name: "commonName", value: host }], {
    keyType: "ec",
    extensions: [{ name: "subjectAltName", altNames }],
  });
  return { key: made.private, cert: made.cert };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
