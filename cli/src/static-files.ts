/**
 * A folder over HTTP: GET and HEAD, ranges, conditional requests, index.html.
 */
import { once } from "node:events";
import { ReadStream } from "node:fs";
import type { Stats } from "node:fs";
import { realpath } from "node:fs/promises";
import { STATUS_CODES } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { sep } from "node:path";
import { pipeline } from "node:stream/promises";
import send from "@fastify/send";
import { connectionOf } from "portreeve";

/** Not found, as far as a client is concerned: a link that leads out of the folder, or a device. */
class UnservableError extends Error {}

/** Serves what is below `root`, which exists; symbolic links that lead out of it are not followed. */
export async function staticFiles(root: string): Promise<RequestListener> {
  const realRoot = await realpath(root);
  const mustBeInside = async (path: string, found: Stats): Promise<void> => {
    const real = await realpath(path);
    // Nobody knows when a pipe or a device has anything to say.
    if (!found.isFile()) throw new UnservableError();
    if (real !== realRoot && !real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep))
      throw new UnservableError();
  };
  return (request, response) => {
    answer(request, response, realRoot, mustBeInside).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else answerStatus(response, statusOf(error));
    });
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  root: string,
  onFile: (path: string, found: Stats) => Promise<void>,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    answerStatus(response, 405, { Allow: "GET, HEAD" });
    return;
  }
  const { path, query } = targetOf(request);
  const result = await send(request, path, { root, onFile });
  if (result.type === "directory") {
    // Leading slashes are folded: "//host" would send the client to another host.
    answerStatus(response, 301, { Location: `/${path.replace(/^[/\\]+/, "")}/${query}` });
    return;
  }
  if (result.type === "error") {
    const { "Content-Range": range } = result.headers as Record<string, string | undefined>;
    answerStatus(response, result.statusCode, range === undefined ? {} : { "Content-Range": range });
    return;
  }
  // The file ends with the connection, however it ends.
  connectionOf(request)?.custodian.use(result.stream);
  if (result.stream instanceof ReadStream && result.stream.pending) await once(result.stream, "open");
  response.writeHead(result.statusCode, result.headers);
  await pipeline(result.stream, response).catch(() => undefined);
}

/** The path and the query of a request, whether its target is in origin form or in absolute form (RFC 9112, section 3.2). */
function targetOf(request: IncomingMessage): { path: string; query: string } {
  const target = (request.url ?? "/").replace(/^https?:\/\/[^/?#]*/i, "");
  const at = target.indexOf("?");
  return at === -1 ? { path: target || "/", query: "" } : { path: target.slice(0, at) || "/", query: target.slice(at) };
}

/** What a client is told of a file that cannot be served. */
function statusOf(error: unknown): number {
  if (error instanceof UnservableError) return 404;
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" ? 404 : code === "EACCES" ? 403 : 500;
}

function answerStatus(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", ...headers });
  response.end(`${status} ${STATUS_CODES[status] ?? ""}\n`);
}
