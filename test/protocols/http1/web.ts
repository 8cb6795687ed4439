/**
 * An HTTP server under a manager whose time is moved by hand.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { manage } from "../../../src/index.ts";
import type { Managed, SafetyLimitsOptions } from "../../../src/index.ts";
import { ManualClock, collectEvents } from "../../../src/testing/index.ts";
import type { Connection } from "../../../src/connection/connection.ts";
import { pass } from "../../support/rounds.ts";
import { connectTo } from "../../support/tcp-client.ts";
import type { TcpClient } from "../../support/tcp-client.ts";

export { settle, until } from "../../support/rounds.ts";

export interface Web extends Managing {
  port: number;
  connect(): Promise<TcpClient>;
}

/** A server under a manager, whenever it came under it. */
export interface Managing {
  server: Managed;
  http: Server;
  clock: ManualClock;
  /** What onError was told. */
  errors: Error[];
  /** How connections ended: "reason while phase", in order. */
  ends(): string[];
  /** The phases that a connection went through after its first. */
  phases(connection: Connection): string[];
  /** Lets everything that is on its way arrive, and time pass meanwhile. */
  pass(ms: number): Promise<void>;
}

interface Closed {
  connection: Connection;
  reason: string;
  phase: string;
}

interface Moved {
  connection: Connection;
  to: string;
}

export async function startWeb(
  t: TestContext,
  handler: RequestListener | Server,
  safetyLimits: SafetyLimitsOptions = {},
  observeOnly = false,
): Promise<Web> {
  const http = typeof handler === "function" ? createServer(handler) : handler;
  const managing = manageWeb(t, http, safetyLimits, observeOnly);
  const port = await listen(http);
  return { ...managing, port, connect: () => connectTo(t, port) };
}

export async function listen(http: Server): Promise<number> {
  await once(http.listen(0, "127.0.0.1"), "listening");
  return (http.address() as AddressInfo).port;
}

/** Puts a server under a manager, which ends with the test. */
export function manageWeb(
  t: TestContext,
  http: Server,
  safetyLimits: SafetyLimitsOptions = {},
  observeOnly = false,
): Managing {
  const clock = new ManualClock();
  const events = collectEvents();
  const errors: Error[] = [];
  const server = manage(http, { clock, safetyLimits, observeOnly, onError: (error) => errors.push(error) });
  const ours = (connection: Connection): boolean => connection.manager.timers.clock === clock;
  t.after(async () => {
    events[Symbol.dispose]();
    await server.close();
  });
  return {
    server,
    http,
    clock,
    errors,
    ends: () =>
      (events.messages("portreeve.connection.closed") as Closed[])
        .filter(({ connection }) => ours(connection))
        .map(({ reason, phase }) => `${reason} while ${phase}`),
    phases: (wanted) =>
      (events.messages("portreeve.connection.phase") as Moved[])
        .filter(({ connection }) => connection === wanted)
        .map(({ to }) => to),
    pass: (ms) => pass(clock, ms),
  };
}

export function get(path: string, ...headers: string[]): string {
  return `${[`GET ${path} HTTP/1.1`, "Host: x", ...headers].join("\r\n")}\r\n\r\n`;
}

/** The status lines and bodies in what was received, where every answer has a length. */
export function answers(received: string): { status: number; head: string; body: string }[] {
  const found = [];
  for (let rest = received; rest !== "";) {
    const end = rest.indexOf("\r\n\r\n") + 4;
    if (end < 4) throw new Error(`half a head: ${rest}`);
    const head = rest.slice(0, end);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    found.push({ status: Number(head.slice(9, 12)), head, body: rest.slice(end, end + length) });
    rest = rest.slice(end + length);
  }
  return found;
}
