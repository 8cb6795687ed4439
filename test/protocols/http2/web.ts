/**
 * HTTP/2 servers under a manager whose time is moved by hand, and their clients.
 */
import { once } from "node:events";
import { connect, createSecureServer, createServer } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import type { TestContext } from "node:test";
import { manage } from "../../../src/manage/manage.ts";
import type { ManageOptions } from "../../../src/manage/manage.ts";
import type { Managed } from "../../../src/manage/managed.ts";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import type { Connection } from "../../../src/connection/connection.ts";
import { ManualClock, collectEvents } from "../../../src/testing/index.ts";
import { certificate } from "../../support/certificate.ts";
import { pass, until } from "../../support/rounds.ts";
import { connectTo } from "../../support/tcp-client.ts";
import type { TcpClient } from "../../support/tcp-client.ts";

export { settle, until } from "../../support/rounds.ts";

export type Kind = "h2" | "h2c";
export const kinds: readonly Kind[] = ["h2", "h2c"];

export type Streamer = (stream: ServerHttp2Stream, headers: Record<string, string>) => void;

export interface Web {
  managed: Managed;
  server: Server;
  port: number;
  clock: ManualClock;
  errors: Error[];
  /** How connections ended: "reason while phase", in order. */
  ends(): string[];
  /** How streams were cut: "reason by limit while phase", in order. */
  cuts(): string[];
  /** The only connection there is. */
  connection(): Connection;
  /** A client of node:http2 that is connected and has acknowledged the settings. */
  client(): Promise<ClientHttp2Session>;
  /** A client that says what it is told, byte by byte; h2c only. */
  raw(): Promise<TcpClient>;
  pass(ms: number): Promise<void>;
}

export interface WebOptions extends Omit<ManageOptions, "clock" | "safetyLimits"> {
  limits?: SafetyLimitsOptions;
  server?: Server;
}

/** Starts a server of `kind` whose streams `handler` serves. */
export async function startWeb(
  t: TestContext,
  kind: Kind,
  handler: Streamer,
  { limits = {}, server: given, ...options }: WebOptions = {},
): Promise<Web> {
  const clock = new ManualClock();
  const events = collectEvents();
  const errors: Error[] = [];
  const server =
    given ?? (kind === "h2" ? createSecureServer({ ...(await certificate()), allowHTTP1: true }) : createServer());
  server.on("stream", handler);
  const managed = manage(server, { onError: (error) => errors.push(error), ...options, clock, safetyLimits: limits });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    events[Symbol.dispose]();
    await managed.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const ours = ({ connection }: { connection: Connection }): boolean => connection.manager.timers.clock === clock;
  const heard = <T>(name: string): T[] =>
    (events.messages(name) as (T & { connection: Connection })[]).filter((message) => ours(message));
  return {
    managed,
    server,
    port,
    clock,
    errors,
    ends: () =>
      heard<{ reason: string; phase: string }>("portreeve.connection.closed").map(
        ({ reason, phase }) => `${reason} while ${phase}`,
      ),
    cuts: () =>
      heard<{ reason: string; limit: string | null; phase: string }>("portreeve.stream.cut").map(
        ({ reason, limit, phase }) => `${reason} by ${limit} while ${phase}`,
      ),
    connection() {
      const [only] = managed.connections;
      if (only === undefined || managed.connections.size > 1)
        throw new Error(`${managed.connections.size} connections`);
      return only;
    },
    async client() {
      const known = new Set(managed.connections);
      const session = await openSession(t, kind, port);
      const mine = (): Connection | undefined => [...managed.connections].find((one) => !known.has(one));
      await until(() => mine() !== undefined && mine()?.phase !== "handshaking");
      return session;
    },
    raw: () => connectTo(t, port),
    pass: (ms) => pass(clock, ms),
  };
}

/** A session of a client of node:http2 with a server on this machine, as soon as the server has said its settings. */
export async function openSession(t: TestContext, kind: Kind, port: number): Promise<ClientHttp2Session> {
  const session = connect(`${kind === "h2" ? "https" : "http"}://127.0.0.1:${port}`, {
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
  });
  session.on("error", () => {});
  t.after(() => session.destroy());
  await once(session, "remoteSettings");
  return session;
}

/** What a stream came to. */
export interface Answer {
  status: number | undefined;
  body: string;
  /** The code of its end. */
  code: number | undefined;
}

/** Sends a request whose answer is gathered; without a body unless one is written. */
export function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders = { ":path": "/" }): Asked {
  const { ":method": method = "GET" } = headers;
  const stream = session.request(headers, { endStream: method === "GET" || method === "HEAD" });
  const asked: Asked = { stream, status: undefined, body: "", answered: Promise.resolve(undefined as never) };
  stream.on("error", () => {});
  stream.on("response", (head) => (asked.status = head[":status"]));
  stream.setEncoding("latin1").on("data", (text: string) => (asked.body += text));
  asked.answered = new Promise((resolve) =>
    stream.on("close", () => resolve({ status: asked.status, body: asked.body, code: stream.rstCode })),
  );
  return asked;
}

export interface Asked {
  stream: ClientHttp2Stream;
  status: number | undefined;
  body: string;
  answered: Promise<Answer>;
}

/** What a raw client received. */
export function bytesOf(client: TcpClient): Buffer {
  return Buffer.from(client.received, "latin1");
}
