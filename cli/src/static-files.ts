/**
 * A folder over HTTP: GET and HEAD, ranges, conditional requests, index.html.
 */
import { realpath } from "node:fs/promises";
import { STATUS_CODES } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { sep } from "node:path";
import { pipeline } from "node:stream/promises";
import send from "@fastify/send";
import { connectionOf } from "portreeve";

/** A link that leads out of the folder: not found, as far as a client is concerned. */
class OutsideError extends Error {}

/** Serves what is below `root`, which exists; symbolic links that lead out of it are not followed. */
export async function staticFiles(root: string): Promise<RequestListener> {
  const realRoot = await realpath(root);
  const mustBeInside = async (path: string): Promise<void> => {
    const real = await realpath(path);
    if (real !== realRoot && !real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep))
      throw new OutsideError();
  };
  return (request, response) => {
    answer(request, response, realRoot, mustBeInside).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else answerStatus(response, error instanceof OutsideError ? 404 : 500);
    });
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  root: string,
  onFile: (path: string) => Promise<void>,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    answerStatus(response, 405, { Allow: "GET, HEAD" });
    return;
  }
  const [path = "/"] = (request.url ?? "/").split("?", 1);
  const result = await send(request, path, { root, onFile });
  if (result.type === "directory") {
    // Leading slashes are folded: "//host" would send the client to another host.
    answerStatus(response, 301, { Location: `/${path.replace(/^[/\\]+/, "")}/` });
    return;
  }
  if (result.type === "error") {
    answerStatus(response, result.statusCode, {});
    return;
  }
  // The file ends with the connection, however it ends.
  connectionOf(request)?.custodian.use(result.stream);
  response.writeHead(result.statusCode, result.headers);
  await pipeline(result.stream, response).catch(() => undefined);
}

function answerStatus(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", ...headers });
  response.end(`${status} ${STATUS_CODES[status] ?? ""}\n`);
}
