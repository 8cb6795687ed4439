/**
 * WebSockets of the library ws, on a server under a manager whose time is moved by hand.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { TestContext } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import type { ServerOptions } from "ws";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import type { TcpClient } from "../../support/tcp-client.ts";
import { startWeb } from "../http1/web.ts";
import type { Web } from "../http1/web.ts";

export interface Sockets extends Web {
  wss: WebSocketServer;
  /** A client of ws that is connected, and the server's side of it. */
  open(options?: { perMessageDeflate?: boolean }): Promise<{ client: WebSocket; peer: WebSocket }>;
}

export async function startSockets(
  t: TestContext,
  safetyLimits: SafetyLimitsOptions = {},
  { http = createServer(), ...options }: ServerOptions & { http?: Server } = {},
): Promise<Sockets> {
  const wss = new WebSocketServer({ server: http, ...options });
  const web = await startWeb(t, http, safetyLimits);
  const scheme = "key" in http ? "wss" : "ws";
  return {
    ...web,
    wss,
    async open(clientOptions) {
      const client = new WebSocket(`${scheme}://127.0.0.1:${web.port}`, {
        rejectUnauthorized: false,
        ...clientOptions,
      });
      t.after(() => client.terminate());
      const [[peer]] = await Promise.all([once(wss, "connection") as Promise<[WebSocket]>, once(client, "open")]);
      return { client, peer };
    },
  };
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
