/**
 * WebSockets of the library ws, on a server under a manager whose time is moved by hand.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { connect as connectTls } from "node:tls";
import type { TestContext } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import type { ClientOptions, ServerOptions } from "ws";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import { TcpClient, connectTo } from "../../support/tcp-client.ts";
import { listen, manageWeb, startWeb } from "../http1/web.ts";
import type { Managing, Web } from "../http1/web.ts";

export interface Sockets extends Web, Doors {}

/** A server of ws, and ways into it. */
interface Doors {
  wss: WebSocketServer;
  /** A client of ws that is connected, and the server's side of it. */
  open(options?: ClientOptions): Promise<{ client: WebSocket; peer: WebSocket }>;
}

interface UnmanagedSockets extends Doors {
  /** A connection, over TLS where the server speaks it. */
  connect(): Promise<TcpClient>;
  manage(safetyLimits?: SafetyLimitsOptions): Managing;
}

type Options = ServerOptions & { http?: Server };

export async function startSockets(
  t: TestContext,
  safetyLimits: SafetyLimitsOptions = {},
  { http = createServer(), observeOnly = false, ...options }: Options & { observeOnly?: boolean } = {},
): Promise<Sockets> {
  const wss = new WebSocketServer({ server: http, ...options });
  const web = await startWeb(t, http, safetyLimits, observeOnly);
  return { ...web, ...doors(t, wss, http, web.port) };
}

/** As `startSockets`, but the server comes under its manager when the test says so. */
export async function startUnmanagedSockets(
  t: TestContext,
  { http = createServer(), ...options }: Options = {},
): Promise<UnmanagedSockets> {
  const wss = new WebSocketServer({ server: http, ...options });
  const port = await listen(http);
  t.after(() => void http.close());
  return {
    ...doors(t, wss, http, port),
    connect: () => (isSecure(http) ? connectOverTls(t, port) : connectTo(t, port)),
    manage: (safetyLimits) => manageWeb(t, http, safetyLimits),
  };
}

function doors(t: TestContext, wss: WebSocketServer, http: Server, port: number): Doors {
  const scheme = isSecure(http) ? "wss" : "ws";
  return {
    wss,
    async open(options) {
      const client = new WebSocket(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false, ...options });
      t.after(() => client.terminate());
      const [[peer]] = await Promise.all([once(wss, "connection") as Promise<[WebSocket]>, once(client, "open")]);
      return { client, peer };
    },
  };
}

function isSecure(http: Server): boolean {
  return "key" in http;
}

async function connectOverTls(t: TestContext, port: number): Promise<TcpClient> {
  const address = { port, host: "127.0.0.1", allowHalfOpen: true };
  const socket = connectTls({ ...address, rejectUnauthorized: false });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  return new TcpClient(socket);
}

/** The code with which a WebSocket closes. */
export async function closeCode(socket: WebSocket): Promise<number> {
  const [code] = (await once(socket, "close")) as [number];
  return code;
}

/** Asks for a WebSocket byte by byte, and reads the answer. */
export async function shakeHands(client: TcpClient): Promise<TcpClient> {
  client.write(askForUpgrade("websocket"));
  await client.gets(/^HTTP\/1\.1 101 [^]*\r\n\r\n/);
  client.received = "";
  return client;
}

export function askForUpgrade(protocol: string): string {
  return [
    "GET / HTTP/1.1",
    "Host: x",
    "Connection: Upgrade",
    `Upgrade: ${protocol}`,
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "\r\n",
  ].join("\r\n");
}
