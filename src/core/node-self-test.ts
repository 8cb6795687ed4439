/**
 * Which of the private properties in node-internals.ts this Node has. Each is tried once a process, when a server first
 * needs it, on objects made for it: no port is opened, no byte is sent. What only the session or the stream of a client has
 * is tried on the first of them that comes.
 *
 * Nothing is left but what V8 has learned, so no trial is made that the server has no use for: one TLS socket, or one session of
 * HTTP/2 on a socket of TCP, and every event of every emitter costs an array more from then on.
 */
import type { ServerResponse } from "node:http";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { Socket, createServer } from "node:net";
import { PassThrough } from "node:stream";
import type { TLSSocket } from "node:tls";
import {
  announceKeepAlive,
  asyncId,
  errorListenersOf,
  hasCompatRequest,
  http2HeadOf,
  http2SessionOn,
  http2Settings,
  http2StreamsOf,
  httpSocketsOf,
  handleBytesWritten,
  knownHandleQueue,
  openSocketsOf,
  rawSocketOf,
  responseOnSocket,
  secureSocketOn,
  sentHead,
  sessionHasPendingData,
  streamBytesWritten,
  wasUpgraded,
} from "./node-internals.ts";
import { nodeHttp, nodeHttp2, nodeTls } from "./node-modules.ts";
import { warn } from "./report.ts";

/** A private property that this Node lacks. */
export interface MissingInternal {
  readonly property: string;
  /** What is worse without it. */
  readonly effect: string;
}

interface Trial {
  /** One that has a handle of TCP, and is connected to nothing. */
  readonly socket: Socket;
  readonly response: ServerResponse;
}

/** What a server is, as far as the trials ask. */
export interface Occasion {
  readonly isEncrypted: boolean;
  readonly speaksHttp2: boolean;
  /** Whether it may have clients that are older than its manager. */
  readonly listens: boolean;
}

/** Tried on the first of its kind that comes. */
interface First<Kind> extends MissingInternal {
  came: boolean;
  works(first: Kind): boolean;
}

interface Internal extends MissingInternal {
  works(trial: Trial): boolean;
  /** Where it is not needed by all. */
  isNeeded?(occasion: Occasion): boolean;
}

const internals: readonly Internal[] = [
  {
    property: "socket._handle.writeQueueSize",
    effect:
      "the progress of sending is seen write by write: one who takes a large write slowly looks as if he took nothing",
    works: ({ socket }) => knownHandleQueue(socket) !== undefined,
  },
  {
    property: "socket._handle.bytesWritten",
    effect: "what a client takes of a large write is seen when all of it has been taken",
    works: ({ socket }) => handleBytesWritten(socket) !== undefined,
  },
  {
    property: "tlsSocket._parent",
    effect: "TLS sockets are told by their addresses, which those on unix sockets do not have",
    isNeeded: ({ isEncrypted }) => isEncrypted,
    works({ socket }) {
      const secure = secureOn(socket);
      const raw = rawSocketOf(secure);
      secure.destroy();
      return raw === socket;
    },
  },
  {
    property: "response._header",
    effect: "an event stream that names its type to writeHead only is cut when it is silent for responseSendTimeout",
    works: ({ response }) => sentHead(response.writeHead(200, { "x-tried": "yes" })).includes("x-tried"),
  },
  {
    property: "socket._httpMessage",
    effect: "requests that were in flight before the server was managed are not seen",
    works({ socket, response }) {
      response.assignSocket(socket);
      const found = responseOnSocket(socket);
      response.detachSocket(socket);
      return found === response;
    },
  },
  {
    property: "response._keepAliveTimeout",
    effect: "responses in flight at detach announce the keep-alive time of the manager",
    works({ response }) {
      announceKeepAlive(response, 1);
      return Reflect.get(response, "_keepAliveTimeout") === 1;
    },
  },
  {
    property: "socket.parser",
    effect: "sockets that were upgraded before the server was managed are taken for idle ones",
    works() {
      const socket = unconnected();
      new nodeHttp.Server().emit("connection", socket);
      const isSpoken = Reflect.get(socket, "parser") != null && !wasUpgraded(socket);
      socket.destroy();
      return isSpoken;
    },
  },
  {
    property: "process._getActiveHandles and socket._server",
    effect: "connections that are older than their manager become its own with their next request, and not before",
    works: ({ socket }) => openSocketsOf({}) !== undefined && "_server" in socket,
  },
  {
    property: "the connections of an http.Server",
    effect:
      "of clients that are older than their manager, those in the middle of a head, and those upgraded, are taken for idle ones",
    works() {
      const server = new nodeHttp.Server();
      // It makes its list when it listens, and an interval, which close() ends.
      server.emit("listening");
      const list = httpSocketsOf(server);
      server.close();
      return list !== undefined;
    },
  },
  {
    property: "tlsSocket._emitTLSError",
    effect: "sockets of TLS that are older than their manager are known by the bytes below them",
    isNeeded: ({ isEncrypted, listens }) => isEncrypted && listens,
    works() {
      const socket = unconnected();
      const secure = secureOn(socket);
      const above = secureSocketOn(socket);
      secure.destroy();
      return above === secure;
    },
  },
  {
    property: "the session of a socket of HTTP/2, and its streams",
    effect:
      "sessions of HTTP/2 that are older than their manager become its own with their next stream, and the streams in flight are not seen",
    isNeeded: ({ speaksHttp2, listens }) => speaksHttp2 && listens,
    works() {
      const socket = unconnected();
      let made: ServerHttp2Session | undefined;
      nodeHttp2()
        .createServer()
        .on("session", (session) => (made = session))
        .emit("connection", socket);
      const works = made !== undefined && http2SessionOn(socket) === made && http2StreamsOf(made) !== undefined;
      made?.destroy();
      socket.destroy();
      return works;
    },
  },
  {
    property: "the settings of an http2 server",
    effect: "a stricter maxConcurrentStreams of the program's own is raised to that of the limits",
    isNeeded: ({ speaksHttp2 }) => speaksHttp2,
    works() {
      const server = nodeHttp2().createServer({ settings: { maxConcurrentStreams: 7 } });
      return http2Settings(server)?.maxConcurrentStreams === 7;
    },
  },
  {
    property: "the request that node:http2 hangs on a stream",
    effect:
      "each stream has a listener more, and of bodies in flight before the server was managed none is held to maxRequestBodyLength",
    isNeeded: ({ speaksHttp2 }) => speaksHttp2,
    works() {
      const stream = new PassThrough() as unknown as ServerHttp2Stream;
      const request = new (nodeHttp2().Http2ServerRequest)(stream, {}, {}, ["a", "b"]);
      return hasCompatRequest(stream) && http2HeadOf(stream) === request.rawHeaders;
    },
  },
  {
    property: "emitter._events",
    effect: "each connection and stream is asked once more whether anybody hears of its errors",
    works: () => errorListenersOf(new PassThrough().on("error", ignore)) === ignore,
  },
  {
    property: "the asynchronous id of a server",
    effect: "a server that has closed is not refused",
    works: () => asyncId(createServer()) !== undefined,
  },
];

const firstSession: First<ServerHttp2Session> = {
  property: "what an http2 session has pending",
  effect:
    "one that nghttp2 has ended after a fault of its client stays until its deadline, and then has that for its reason",
  came: false,
  works: (session) => typeof sessionHasPendingData(session) === "boolean",
};

const firstStream: First<ServerHttp2Stream> = {
  property: "the bytes that an http2 stream has sent",
  effect:
    "a stream on which the program is silent for responseSendTimeout is cut only when its whole session is silent",
  came: false,
  works: (stream) => streamBytesWritten(stream) !== undefined,
};

/** The private properties that this Node lacks; of all, or of those that a server needs and that were not tried before. */
export function missingInternals(occasion?: Occasion): readonly MissingInternal[] {
  const due = occasion === undefined ? internals : internals.filter((internal) => isDue(internal, occasion));
  if (due.length === 0) return [];
  const socket = unconnected();
  const { IncomingMessage, ServerResponse } = nodeHttp;
  const response = new ServerResponse(new IncomingMessage(socket));
  try {
    return due.filter((internal) => !doesWork(internal, { socket, response }));
  } finally {
    socket.destroy();
  }
}

const tried: Set<Internal> = new Set();

function isDue(internal: Internal, occasion: Occasion): boolean {
  if (tried.has(internal) || internal.isNeeded?.(occasion) === false) return false;
  tried.add(internal);
  return true;
}

/** Says as a process warning, of each once a process, which private properties are missing and what is worse without them. */
export function warnOfMissingInternals(occasion: Occasion): void {
  say(missingInternals(occasion));
}

/** The same, of what only a session has. */
export function tryFirstSession(session: ServerHttp2Session): void {
  // Until its socket is connected it has nothing, either.
  if (!session.connecting) tryFirst(firstSession, session);
}

/** The same, of what only a stream has. */
export function tryFirstStream(stream: ServerHttp2Stream): void {
  tryFirst(firstStream, stream);
}

function tryFirst<Kind extends { readonly destroyed: boolean }>(internal: First<Kind>, first: Kind): void {
  // One that is gone has nothing left to be read.
  if (internal.came || first.destroyed) return;
  internal.came = true;
  if (!internal.works(first)) say([internal]);
}

function say(missing: readonly MissingInternal[]): void {
  if (missing.length === 0) return;
  const list = missing.map(({ property, effect }) => `${property} (${effect})`).join("; ");
  warn(
    new Error(`Node ${process.version} lacks what portreeve knows it by; all goes on, but: ${list}`),
    "PortreeveNodeWarning",
  );
}

function doesWork(internal: Internal, trial: Trial): boolean {
  try {
    return internal.works(trial);
  } catch {
    return false;
  }
}

/** A socket gets its handle when it is told to connect, and would connect in the next turn; by then it is destroyed. */
function unconnected(): Socket {
  const socket = new Socket().on("error", ignore);
  return socket.connect({ host: "127.0.0.1", port: 1 });
}

/** A server's TLS socket above one. */
function secureOn(socket: Socket): TLSSocket {
  const { TLSSocket, createSecureContext } = nodeTls();
  return new TLSSocket(socket, { isServer: true, secureContext: createSecureContext({ ca: [] }) }).on("error", ignore);
}

function ignore(): void {}
