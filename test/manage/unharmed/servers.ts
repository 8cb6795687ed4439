/** Two servers of the same program: one bare, one under a manager whose limits are infinite. And what a client gets of each. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, Server, ServerOptions, ServerResponse } from "node:http";
import { connect } from "node:net";
import type { NetConnectOpts, Socket } from "node:net";
import { manage, makeUnlimitedSafetyLimits } from "../../../src/index.ts";

export interface Program {
  readonly options?: ServerOptions;
  /** Listeners beyond that of requests, and settings. */
  readonly prepare?: (server: Server) => void;
  readonly listener?: RequestListener;
}

/** Answers in the many ways that HTTP has, by the path. */
export const manyWays: RequestListener = (request, response) => {
  const path = request.url ?? "";
  response.on("error", () => {});
  request.on("error", () => {});
  const way = ways[path.slice(1).split("/")[0] ?? ""];
  if (way === undefined) response.end(`${request.method} ${path} ${request.httpVersion}`);
  else way(request, response);
};

const ways: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  echo(request, response) {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => response.end(`${Buffer.concat(chunks).toString()} ${JSON.stringify(request.trailers)}`));
  },
  chunked(_request, response) {
    response.write("one,");
    setImmediate(() => response.end("two"));
  },
  trailers(_request, response) {
    response.writeHead(200, { Trailer: "X-Sum" });
    response.write("body");
    response.addTrailers({ "X-Sum": "4" });
    response.end();
  },
  hints(_request, response) {
    response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    response.writeProcessing();
    setImmediate(() => response.end("after hints"));
  },
  empty: (_request, response) => void response.writeHead(204).end(),
  same: (_request, response) => void response.writeHead(304, { ETag: '"x"' }).end(),
  error: (_request, response) => void response.writeHead(500, "Oh No", { "X-Reason": "of the program" }).end("failed"),
  close: (_request, response) => void response.writeHead(200, { Connection: "close" }).end("bye"),
  late: (_request, response) => void setTimeout(() => response.end("late"), 5),
  // No answer to what is still being sent.
  early: (_request, response) => void response.end("early"),
  headers: (request, response) => void response.end(JSON.stringify(request.rawHeaders)),
  destroyed: (request) => void request.socket.destroy(),
};

export interface Pair {
  readonly bare: Server;
  readonly managed: Server;
  end(): Promise<void>;
}

/** Where the two listen: by default on a free port each. */
export async function startPair(
  { options = {}, prepare, listener = manyWays }: Program,
  listen: (server: Server, which: "bare" | "managed") => void = (server) => void server.listen(0, "127.0.0.1"),
): Promise<Pair> {
  const [bare, managed] = [createServer(options, listener), createServer(options, listener)];
  for (const server of [bare, managed]) prepare?.(server);
  const manager = manage(managed, { safetyLimits: makeUnlimitedSafetyLimits(), onError: () => {} });
  const heard = [bare, managed].map((server) => once(server, "listening"));
  listen(bare, "bare");
  listen(managed, "managed");
  await Promise.all(heard);
  return {
    bare,
    managed,
    async end() {
      bare.close();
      bare.closeAllConnections();
      await manager.close();
    },
  };
}

/** The end of what a client says. */
export const fin: unique symbol = Symbol("FIN");

/** What a client says: pieces, each after the answer to those before has begun to come, where `gets` says what it waits for. */
export type Dialogue = readonly (string | { readonly gets: RegExp } | typeof fin)[];

/** Everything that comes back, and how the connection ended; nothing of time. */
export async function hold(where: NetConnectOpts, dialogue: Dialogue): Promise<string> {
  const socket = connect({ allowHalfOpen: true, ...where } as NetConnectOpts);
  let received = "";
  let ending = "";
  socket.setEncoding("latin1").on("data", (text: string) => (received += text));
  const over = new Promise<void>((resolve) => {
    socket.on("error", ({ code }: NodeJS.ErrnoException) => (ending ||= String(code)));
    socket.on("end", () => (ending ||= "FIN"));
    socket.on("end", resolve).on("close", () => resolve());
  });
  await once(socket, "connect");
  for (const line of dialogue) {
    if (line === fin) socket.end();
    else if (typeof line === "string") socket.write(line, "latin1");
    else await comes(socket, over, () => line.gets.test(received));
  }
  await over;
  socket.destroy();
  return `${normalise(received)}<${ending}>`;
}

async function comes(socket: Socket, over: Promise<void>, what: () => boolean): Promise<void> {
  let ended = false;
  void over.then(() => (ended = true));
  while (!what() && !ended) await Promise.race([once(socket, "data").catch(() => {}), over]);
}

/** But for the time of day, and the documented repair of the keep-alive header. */
function normalise(received: string): string {
  return received
    .replaceAll(/^Date: .*\r$/gm, "Date: x\r")
    .replaceAll(/^Keep-Alive: timeout=\d+(, max=\d+)?\r\n/gm, "");
}
