/**
 * A program with a server of every kind, and clients for them; it counts what is made while it never asks for an owner, and,
 * for comparison, when it does. Run as `program.js manage`, or with any other word where the preload manages its servers.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { createServer as createHttp, get as getHttp, Agent } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect as connectHttp2, createSecureServer, createServer as createHttp2 } from "node:http2";
import { createServer as createHttps, get as getHttps, Agent as SecureAgent } from "node:https";
import { connect, createServer as createNet } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { connect as connectTls, createServer as createTls } from "node:tls";
import { pathToFileURL } from "node:url";
import { WebSocket, WebSocketServer } from "ws";
import { certificate } from "../../support/certificate.ts";
import { until } from "../../support/clients.ts";
import { projectRoot } from "../../support/paths.ts";

/** What came of the clients of one kind of server. */
export interface Count {
  /** Custodians that were made, that of the server included. */
  readonly custodians: number;
  /** Calls of `run` and `enterWith` of any AsyncLocalStorage. */
  readonly contexts: number;
  /** How often a listener of the program was called for something of a managed connection that had no custodian. */
  readonly served: number;
}

const ofPackage = (file: string): Promise<unknown> => import(pathToFileURL(join(projectRoot, "dist", file)).href);
// The copy that the preload is of, and that a program imports.
const { connectionOf, custodianOf, manage } = (await ofPackage("index.js")) as typeof import("../../../src/index.ts");
const { Custodian } = (await ofPackage(
  "custodian/custodian.js",
)) as typeof import("../../../src/custodian/custodian.ts");

let custodians = 0;
let contexts = 0;
let served = 0;

// A constructor calls whatever its class extends at that time.
const Member = Object.getPrototypeOf(Custodian) as new (kind: null) => object;
class CountedMember extends Member {
  constructor(kind: null) {
    super(kind);
    custodians++;
  }
}
Object.setPrototypeOf(Custodian, CountedMember);

const { run, enterWith } = AsyncLocalStorage.prototype;
Object.assign(AsyncLocalStorage.prototype, {
  run(this: AsyncLocalStorage<unknown>, ...args: Parameters<typeof run>) {
    contexts++;
    return Reflect.apply(run, this, args);
  },
  enterWith(this: AsyncLocalStorage<unknown>, ...args: Parameters<typeof enterWith>) {
    contexts++;
    return Reflect.apply(enterWith, this, args);
  },
});

const pair = await certificate();
/** Set for the comparison. */
let isAsking = false;

/** A listener of the program's was called for `value`. */
function serve(value: object): void {
  if (connectionOf(value)?.hasCustodian === false) served++;
  if (isAsking) custodianOf(value).run(() => {});
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  serve(request);
  request.resume().on("end", () => response.end("ok"));
}

function echo(socket: Socket): void {
  socket
    .on("error", () => {})
    .on("data", (bytes: Buffer) => {
      serve(socket);
      socket.write(bytes);
    });
}

function webSockets(): Server {
  const server = createHttp();
  new WebSocketServer({ server }).on("connection", (socket) => {
    socket
      .on("error", () => {})
      .on("message", (text) => {
        serve(socket);
        socket.send(text);
      });
  });
  return server;
}

const secure = { host: "127.0.0.1", rejectUnauthorized: false };
/** How many clients there are of each kind, and how often each asks. */
const clients = 3;
const rounds = 3;

interface Side {
  make(): Server;
  /** A client that connects, asks `rounds` times, and leaves: with a goodbye, or without. */
  visit(port: number, isPolite: boolean): Promise<void>;
}

function askHttp(isSecure: boolean): Side["visit"] {
  return async (port, isPolite) => {
    const agent = isSecure ? new SecureAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
    let socket: Socket | undefined;
    for (let round = 0; round < rounds; round++) {
      const request = (isSecure ? getHttps : getHttp)({ ...secure, port, agent });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      socket = response.socket;
      await once(response.resume(), "close");
    }
    if (isPolite) socket?.end();
    else socket?.destroy();
    agent.destroy();
  };
}

function askHttp2(scheme: "http" | "https"): Side["visit"] {
  return async (port, isPolite) => {
    const session = connectHttp2(`${scheme}://127.0.0.1:${port}`, secure);
    await once(session, "connect");
    for (let round = 0; round < rounds; round++) await once(session.request({ ":path": "/" }).resume(), "close");
    if (isPolite) session.close();
    else session.destroy();
  };
}

function talk(isSecure: boolean): Side["visit"] {
  return async (port, isPolite) => {
    const socket = isSecure ? connectTls({ ...secure, port }) : connect(port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, isSecure ? "secureConnect" : "connect");
    for (let round = 0; round < rounds; round++) {
      socket.write("hello");
      await once(socket, "data");
    }
    if (isPolite) socket.end();
    else socket.destroy();
  };
}

async function chat(port: number, isPolite: boolean): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(socket, "open");
  for (let round = 0; round < rounds; round++) {
    socket.send("hello");
    await once(socket, "message");
  }
  if (isPolite) socket.close();
  else socket.terminate();
}

const sides: Readonly<Record<string, Side>> = {
  http: { make: () => createHttp(answer), visit: askHttp(false) },
  https: { make: () => createHttps(pair, answer), visit: askHttp(true) },
  h2: { make: () => createSecureServer(pair, answer as never), visit: askHttp2("https") },
  h2c: { make: () => createHttp2(answer as never), visit: askHttp2("http") },
  ws: { make: webSockets, visit: chat },
  net: { make: () => createNet(echo), visit: talk(false) },
  tls: { make: () => createTls(pair, echo), visit: talk(true) },
};

/** Starts a server, has its clients come and go, and ends it. */
async function play({ make, visit }: Side): Promise<Count> {
  const before = { custodians, contexts, served };
  const server = make();
  const managed = process.argv[2] === "manage" ? manage(server) : undefined;
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const accepted: Socket[] = [];
  server.on("connection", (socket: Socket) => accepted.push(socket));
  for (let client = 0; client < clients; client++) {
    await visit(port, client % 2 === 0);
  }
  await until(() => accepted.every(({ closed }) => closed));
  if (managed === undefined) await once(server.close(), "close");
  else await managed.drain();
  return {
    custodians: custodians - before.custodians,
    contexts: contexts - before.contexts,
    served: served - before.served,
  };
}

const counts: Record<string, Count> = {};
for (const [kind, side] of Object.entries(sides)) counts[kind] = await play(side);
isAsking = true;
for (const [kind, side] of Object.entries(sides)) counts[`${kind}, asking`] = await play(side);
console.log(JSON.stringify(counts));
