/**
 * What a load balancer or Kubernetes asks: whether the process lives, and whether new clients are welcome.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Server } from "node:net";
import { ArgumentTypeError } from "../core/errors.ts";
import { checkOptions, checkString, optional } from "../core/options.ts";
import { Managed, managedOf } from "./managed.ts";

export interface HealthOptions {
  /** The path that is answered with 200 as long as anything is. @default "/livez" */
  livez?: string;
  /** The path that is answered with 200, and with 503 once a drain has begun. @default "/readyz" */
  readyz?: string;
}

/** A handler of node:http, and a middleware. @returns whether it answered; where it did not, it calls `next` if it was given one */
export type HealthHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => boolean;

/**
 * Makes a handler for the probes of a server: one that is managed by `manage`, or with no code. It answers GET and HEAD on
 * its two paths, with a status and no details.
 * @throws ArgumentTypeError for what is neither, and for a path that does not begin with a slash
 */
export function healthHandler(of: Managed | Server, options?: HealthOptions): HealthHandler {
  if (!(of instanceof Server) && !isManaged(of)) {
    throw new ArgumentTypeError("server", "a server, or what manage() gave for it", of);
  }
  const given = checkOptions(options, "options", ["livez", "readyz"]);
  const livez = optional(given.livez, "options.livez", checkPath, "/livez");
  const readyz = optional(given.readyz, "options.readyz", checkPath, "/readyz");
  if (livez === readyz) throw new ArgumentTypeError("options.readyz", "another path than that of livez", readyz);
  return (request, response, next) => {
    const path = asked(request);
    if (path !== livez && path !== readyz) {
      next?.();
      return false;
    }
    answer(response, path === livez || isReady(of));
    return true;
  };
}

function isManaged(value: unknown): value is Managed {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, "ready") === "boolean";
}

function isReady(of: Managed | Server): boolean {
  return of instanceof Server ? (managedOf(of)?.ready ?? of.listening) : of.ready;
}

function checkPath(value: unknown, path: string): string {
  const text = checkString(value, path);
  if (!text.startsWith("/")) throw new ArgumentTypeError(path, "a path that begins with a slash", value);
  return text;
}

function asked({ method, url }: IncomingMessage): string | null {
  return method === "GET" || method === "HEAD" ? (url ?? "").replace(/\?.*$/s, "") : null;
}

function answer(response: ServerResponse, good: boolean): void {
  const text = good ? "ok\n" : "draining\n";
  response.writeHead(good ? 200 : 503, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": text.length,
    "Cache-Control": "no-store",
  });
  response.end(text);
}
