/** Two servers of the same program: one bare, one under a manager whose limits cut nothing. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, Server as HttpServer, ServerOptions, ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import type { TestContext } from "node:test";
import { enforcedLimits, manage, makeUnlimitedSafetyLimits } from "../../../src/index.ts";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import { certificate } from "../../support/certificate.ts";
import type { Place } from "./client.ts";

/** Limits that nothing in these tests reaches. */
export interface Reach {
  readonly name: "infinite limits" | "limits of hours";
  /** Beyond those without any; of them, those that a server enforces. */
  readonly limits: SafetyLimitsOptions;
  /** What a bare server is given, so that it says what the managed one says; without it, its own is left. */
  readonly keepAliveTimeout?: number;
}

export const infinite: Reach = { name: "infinite limits", limits: {} };

/**
 * Finite ones, as real servers have, are enforced by timers, counts and looks. Those that a client is told of, or that raise
 * a ceiling of Node's own, stay infinite.
 */
export const finite: Reach = {
  name: "limits of hours",
  limits: {
    maxConcurrent: 5000,
    requestReadTimeout: "2h",
    maxRequestHeaders: 10_000,
    maxRequestBodyLength: "1 GiB",
    responseTimeout: "2h",
    responseSendTimeout: "2h",
    handshakeTimeout: "2h",
    idleTimeout: "2h",
    upgradedIdleTimeout: "2h",
    pingInterval: "2h",
    minReceiveRate: { bytesPerSecond: 1, grace: "2h" },
    minSendRate: { bytesPerSecond: 1, grace: "2h" },
    waitTimeout: "2h",
    maxRequestsPerConnection: 1_000_000,
    maxConnectionAge: "20h",
    maxBufferedBytes: "1 GiB",
    maxStreamResets: 1_000_000,
    maxControlFrames: 1_000_000,
  },
  keepAliveTimeout: 7_200_000,
};

export const reaches: readonly Reach[] = [infinite, finite];

export const sides = ["bare", "managed"] as const;
export type Side = (typeof sides)[number];

export type Pair<S extends Server = Server> = Readonly<Record<Side, S>>;

type Listen = (server: Server, side: Side) => void;

/** Both end with the test. @param listen where: by default on a free port each */
export async function startPair<S extends Server>(
  t: TestContext,
  make: () => S,
  { limits, keepAliveTimeout }: Reach,
  listen: Listen = (server) => void server.listen(0, "127.0.0.1"),
): Promise<Pair<S>> {
  const pair = { bare: make(), managed: make() };
  if (keepAliveTimeout !== undefined && "keepAliveTimeout" in pair.bare) Object.assign(pair.bare, { keepAliveTimeout });
  const enforced = enforcedLimits(pair.managed).map((name) => [name, limits[name]]);
  const safetyLimits = makeUnlimitedSafetyLimits(Object.fromEntries(enforced) as SafetyLimitsOptions);
  const manager = manage(pair.managed, { safetyLimits, onError: () => {} });
  const open = new Set<Socket>();
  pair.bare.on("connection", (socket) => open.add(socket.once("close", () => open.delete(socket))));
  t.after(async () => {
    pair.bare.close();
    for (const socket of open) socket.destroy();
    await manager.close();
  });
  const heard = sides.map((side) => once(pair[side], "listening"));
  for (const side of sides) listen(pair[side], side);
  await Promise.all(heard);
  return pair;
}

/** Where clients find a server. */
export function placeOf(server: Server): Place {
  const address = server.address();
  const isSecure = "setSecureContext" in server;
  return typeof address === "string"
    ? { path: address, isSecure }
    : { port: (address as AddressInfo).port, host: "127.0.0.1", isSecure };
}

export interface Program {
  readonly options?: ServerOptions;
  /** Listeners beyond that of requests, and settings. */
  readonly prepare?: (server: HttpServer) => void;
  readonly listener?: RequestListener;
}

export type Kind = "http" | "https";
export const kinds: readonly Kind[] = ["http", "https"];

/** What makes servers of a program. */
export async function makerOf(kind: Kind, program: Program = {}): Promise<() => HttpServer> {
  const { options = {}, prepare, listener = manyWays } = program;
  const keys = kind === "https" ? await certificate() : undefined;
  return () => {
    const server =
      keys === undefined ? createServer(options, listener) : createHttpsServer({ ...options, ...keys }, listener);
    prepare?.(server);
    return server;
  };
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
  broken: (request) => void request.socket.destroy(new Error("of the program")),
  big: (_request, response) => void response.end(`${"big".repeat(200_000)}!`),
  // Timeouts of the program's own, which node:http takes off a socket between two requests.
  hurried: (_request, response) => void response.setTimeout(anHour).end("hurried"),
  hurries: (request, response) =>
    void response.end("hurries", () => request.socket.setTimeout(anHour, () => request.socket.destroy())),
  timeout: (request, response) => void response.end(`timeout: ${request.socket.timeout}`),
};

const anHour = 60 * 60 * 1000;
