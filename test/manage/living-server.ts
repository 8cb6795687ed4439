/**
 * Servers of every kind that are in use before anybody manages them: with clients that are silent, idle, in the middle
 * of a request, and upgraded.
 */
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect as netConnect, createServer as createNetServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TestContext } from "node:test";
import { connect as tlsConnect, createServer as createTlsServer } from "node:tls";
import { certificate } from "../support/certificate.ts";
import { TcpClient } from "../support/tcp-client.ts";
import { get, until } from "../protocols/http1/web.ts";
import { askForUpgrade } from "../protocols/websocket/sockets.ts";

export type Kind = "net" | "tls" | "http" | "https";
export const kinds: readonly Kind[] = ["net", "tls", "http", "https"];

export interface LivingServer {
  server: Server;
  /** The sockets that the server's own listeners have, TLS sockets on TLS, in the order of their coming. */
  sockets: Socket[];
  /** The sockets that were accepted. */
  accepted: Socket[];
  /** Of requests for /wait, oldest first. */
  waiting: { request: IncomingMessage; response: ServerResponse }[];
  upgraded: Duplex[];
  connect(): Promise<TcpClient>;
}

/** Net and tls echo; http and https answer with the path. */
export async function startServer(t: TestContext, kind: Kind): Promise<LivingServer> {
  const isSecure = kind === "tls" || kind === "https";
  const pair = isSecure ? await certificate() : { key: "", cert: "" };
  const living: Omit<LivingServer, "server" | "connect"> = { sockets: [], accepted: [], waiting: [], upgraded: [] };
  const echo = (socket: Socket): void => void socket.on("error", () => {}).pipe(socket);
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url === "/wait") living.waiting.push({ request, response });
    else response.end(`${request.url}\n`);
  };
  const upgrade = (_request: IncomingMessage, socket: Duplex): void => {
    living.upgraded.push(socket);
    socket.on("error", () => {});
    socket.write("HTTP/1.1 101 Switching\r\n\r\n");
    socket.pipe(socket);
  };
  const server =
    kind === "net"
      ? createNetServer(echo)
      : kind === "tls"
        ? createTlsServer(pair, echo)
        : kind === "http"
          ? createHttpServer(answer).on("upgrade", upgrade)
          : createHttpsServer(pair, answer).on("upgrade", upgrade);
  server.on("connection", (socket: Socket) => living.accepted.push(socket));
  server.on(isSecure ? "secureConnection" : "connection", (socket: Socket) => living.sockets.push(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  t.after(() => {
    server.close();
    for (const socket of living.accepted) socket.destroy();
  });
  const connect = async (): Promise<TcpClient> => {
    const options = { port, host: "127.0.0.1", allowHalfOpen: true };
    const socket = isSecure ? tlsConnect({ ...options, rejectUnauthorized: false }) : netConnect(options);
    t.after(() => socket.destroy());
    const count = living.sockets.length;
    await once(socket, isSecure ? "secureConnect" : "connect");
    await until(() => living.sockets.length > count);
    return new TcpClient(socket);
  };
  return { ...living, server, connect };
}

export interface Clients {
  silent: TcpClient;
  idle: TcpClient;
  busy: TcpClient;
  upgraded: TcpClient;
}

/** One client of each sort. */
export async function fill(living: LivingServer, kind: Kind): Promise<Clients> {
  const silent = await living.connect();
  const idle = await living.connect();
  const busy = await living.connect();
  const upgraded = await living.connect();
  if (kind === "net" || kind === "tls") {
    for (const client of [idle, busy, upgraded]) {
      client.write("hello");
      await client.gets(/hello$/);
    }
    return { silent, idle, busy, upgraded };
  }
  idle.write(get("/first"));
  await idle.gets(/\/first\n$/);
  busy.write(get("/wait"));
  await until(() => living.waiting.length === 1);
  upgraded.write(askForUpgrade("echo"));
  await upgraded.gets(/101 Switching\r\n\r\n$/);
  return { silent, idle, busy, upgraded };
}
