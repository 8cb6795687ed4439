/**
 * A web server under a manager with limits, on a clock moved by hand; and how its connections end, as the server says
 * and as the client's kernel sees it.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { STATUS_CODES, createServer as createHttp } from "node:http";
import type { RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { Managed, SafetyLimitsOptions } from "../../../src/index.ts";
import { collectEvents } from "../../../src/testing/index.ts";
import type { ManualClock } from "../../../src/testing/index.ts";
import type { Connection } from "../../../src/connection/connection.ts";
import { certificate } from "../../support/certificate.ts";
import { kernelAnswers, kernelIsMute, seenByClient } from "../../support/kernel.ts";
import { TcpClient } from "../../support/tcp-client.ts";
import { settle, startWeb, until } from "../../protocols/http1/web.ts";
import type { Web } from "../../protocols/http1/web.ts";

export const webProtocols = ["http", "https"] as const;
export type WebProtocol = (typeof webProtocols)[number];

/** How much later than its deadline a timer's end may come: the resolution of the wheel. */
export const resolution = 10;
/** How much later what no event tells may be noticed: a look. */
export const look = 250;

/** What the end of a connection is judged by. */
export interface Stage extends Pick<Web, "port" | "clock" | "errors"> {
  /** How connections ended: "reason by limit while phase", in order. */
  endings(): string[];
}

/** Where limits may only observe. */
export interface ObservedStage extends Stage {
  /** What they would have cut: "reason by limit", in order. */
  spared(): string[];
}

export interface Scene extends Web, ObservedStage {
  readonly protocol: WebProtocol;
  /** A client that speaks what the server speaks, and that never ends by itself. */
  dial(): Promise<TcpClient>;
  /** The one connection there is. */
  only(): Connection;
  /** Waits until the one connection is in a phase. */
  reaches(phase: string): Promise<void>;
}

export async function startScene(
  t: TestContext,
  protocol: WebProtocol,
  handler: RequestListener,
  limits: SafetyLimitsOptions = {},
  observeOnly = false,
): Promise<Scene> {
  const server = protocol === "http" ? createHttp(handler) : createHttps(await certificate(), handler);
  const web = await startWeb(t, server, limits, observeOnly);
  const only = (): Connection => onlyOne(web.server.connections);
  return {
    ...web,
    protocol,
    dial: () => (protocol === "http" ? web.connect() : dialTls(t, web.port)),
    only,
    reaches: (phase) => until(() => web.server.connections.size === 1 && only().phase === phase),
    endings: listenForEndings(t, web.clock),
    spared: listenForSpared(t, web.clock),
  };
}

/** Byte for byte what a client of HTTP/1 is told in place of an answer. */
export function refusalOf(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`;
}

/** The one connection there is. */
export function onlyOne(connections: Managed["connections"]): Connection {
  const [connection] = connections;
  assert.ok(connection !== undefined && connections.size === 1);
  return connection;
}

/** @returns how the connections of a clock ended: "reason by limit while phase", in order */
export function listenForEndings(t: TestContext, clock: ManualClock): () => string[] {
  const events = collectEvents();
  t.after(() => events[Symbol.dispose]());
  return () =>
    (events.messages("portreeve.connection.closed") as { connection: Connection; reason: string; phase: string }[])
      .filter(({ connection }) => connection.manager.timers.clock === clock)
      .map(({ connection, reason, phase }) => `${reason} by ${connection.closeLimit} while ${phase}`);
}

/** @returns what limits would have cut on the connections of a clock: "reason by limit", in order */
export function listenForSpared(t: TestContext, clock: ManualClock): () => string[] {
  const events = collectEvents();
  t.after(() => events[Symbol.dispose]());
  return () =>
    (events.messages("portreeve.connection.spared") as { connection: Connection; reason: string; limit: string }[])
      .filter(({ connection }) => connection.manager.timers.clock === clock)
      .map(({ reason, limit }) => `${reason} by ${limit}`);
}

async function dialTls(t: TestContext, port: number): Promise<TcpClient> {
  return new TcpClient(await secureSocket(t, port));
}

/** A socket whose handshake of TLS is over, and that never ends by itself. */
export async function secureSocket(t: TestContext, port: number, ...alpn: string[]): Promise<TLSSocket> {
  const options = { port, host: "127.0.0.1", rejectUnauthorized: false, allowHalfOpen: true };
  const socket = connectTls({ ...options, ...(alpn.length > 0 && { ALPNProtocols: alpn }) } as ConnectionOptions);
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

/** The server ends the connection `after` milliseconds from now, not before, and at most `slack` later. */
export async function endsAfter({ clock }: Stage, connection: Connection, after: number, slack: number): Promise<void> {
  clock.advance(after - 1);
  await settle();
  assert.equal(connection.closeReason, null, "not before its time");
  for (let late = 0; late <= slack && connection.closeReason === null; late += resolution) {
    clock.advance(resolution);
    await kernelAnswers();
    await settle();
  }
  assert.notEqual(connection.closeReason, null, "in time");
}

/** How the end of a connection looks from the client's kernel, which the client itself has not looked at yet. */
export async function seesEnd({ port }: Stage, client: TcpClient, manner: "FIN" | "RST"): Promise<void> {
  if (kernelIsMute !== false) return;
  const { socket } = client;
  // It may be refused before it knows that it is connected.
  await until(() => socket.localPort !== undefined || socket.destroyed);
  const own = socket.localPort ?? 0;
  await until(() => seenByClient(own, port) !== "open");
  assert.equal(seenByClient(own, port), manner);
}

/** The end of a connection, once the client has ended, too. */
export async function endsAs(scene: Stage, client: TcpClient, ending: string): Promise<void> {
  client.end();
  await until(() => scene.endings().length === 1);
  assert.deepEqual(scene.endings(), [ending]);
  assert.deepEqual(scene.errors, []);
}
