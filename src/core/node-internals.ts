/**
 * The one place where private properties of Node are read. Each is guarded: where it is missing, the answer is the one
 * that says least, and the caller has a way to go on. `node-self-test.ts` tries them all, and says what is worse without.
 */
import type { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { types } from "node:util";
import { isTlsSocket, nodeTls } from "./node-modules.ts";

/**
 * How much of a write the kernel has not taken yet. No public value shows the progress of one large write. Where it is
 * missing, 0: progress is seen write by write.
 */
export function handleQueue(socket: object): number {
  return knownHandleQueue(socket) ?? 0;
}

/** As `handleQueue`, but undefined where it is missing. */
export function knownHandleQueue(socket: object): number | undefined {
  const queued = (socket as { _handle?: { writeQueueSize?: unknown } | null })._handle?.writeQueueSize;
  return typeof queued === "number" ? queued : undefined;
}

/** All bytes that the kernel has taken from a socket, of whichever layer; undefined where they are not counted. */
export function handedToKernel(socket: object): number | undefined {
  const written = handleBytesWritten(socket);
  const queued = knownHandleQueue(socket);
  return written === undefined || queued === undefined ? undefined : written - queued;
}

/** All bytes that were written to a socket's handle; undefined where they are not counted. */
export function handleBytesWritten(socket: object): number | undefined {
  const written = (socket as { _handle?: { bytesWritten?: unknown } | null })._handle?.bytesWritten;
  return typeof written === "number" ? written : undefined;
}

/** From a TLS socket to the socket below it. */
export function rawSocketOf(secure: object): Socket | undefined {
  const parent = (secure as { _parent?: unknown })._parent;
  return parent instanceof Socket ? parent : undefined;
}

/**
 * From a socket to the TLS socket above it. Nothing but a listener leads there: it hands the errors of the lower one to a
 * private method of the upper one, and for the time of one call that method is ours, which only notes whose it is.
 */
export function secureSocketOn(raw: Socket): TLSSocket | undefined {
  const prototype = nodeTls().TLSSocket.prototype as { [errorMethod]?: unknown };
  const method = prototype[errorMethod];
  const listener = raw.rawListeners("error").find((one) => Function.prototype.toString.call(one).includes(errorMethod));
  if (typeof method !== "function" || listener === undefined) return undefined;
  const heard: object[] = [];
  prototype[errorMethod] = function note(this: object): void {
    heard.push(this);
  };
  try {
    listener();
  } finally {
    prototype[errorMethod] = method;
  }
  const [found] = heard;
  return found !== undefined && isTlsSocket(found) ? found : undefined;
}

const errorMethod = "_emitTLSError";

/** The head of a response as it was sent; `writeHead` keeps what it is given from `getHeader`. */
export function sentHead(response: ServerResponse): string {
  const head = (response as unknown as { _header?: unknown })._header;
  return typeof head === "string" ? head : `content-type: ${String(response.getHeader("content-type") ?? "")}`;
}

/** The response that a socket of node:http is busy with. */
export function responseOnSocket(socket: Socket): ServerResponse | undefined {
  const response = (socket as unknown as { _httpMessage?: unknown })._httpMessage;
  return typeof response === "object" && response !== null ? (response as ServerResponse) : undefined;
}

/** Changes for how many milliseconds a response says that its connection will be kept; where it cannot, it says what it did. */
export function announceKeepAlive(response: ServerResponse, ms: number): void {
  const announced = response as unknown as { _keepAliveTimeout?: unknown };
  if (typeof announced._keepAliveTimeout === "number") announced._keepAliveTimeout = ms;
}

/** Whether node:http has given a socket up: it was upgraded, or taken over by CONNECT. False where that cannot be known. */
export function wasUpgraded(socket: Socket): boolean {
  return (socket as unknown as { parser?: unknown }).parser === null;
}

/**
 * The sockets that a server has accepted and that are open. Complete but for those that the program has unreferenced;
 * compare `countOpen`. Undefined where that cannot be known.
 */
export function openSocketsOf(server: object): Socket[] | undefined {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles?: () => unknown[] };
  if (typeof handles !== "function") return undefined;
  return handles.call(process).filter((handle): handle is Socket => handle instanceof Socket && isFrom(handle, server));
}

function isFrom(socket: Socket, server: object): boolean {
  return (socket as unknown as { _server?: unknown })._server === server;
}

/** The sockets on which a server of node:http or node:https speaks HTTP/1, and whether a request is being received. */
export function httpSocketsOf(server: object): Map<Socket, boolean> | undefined {
  const list = httpConnections(server) as Partial<ConnectionsList> | undefined;
  if (typeof list?.all !== "function" || typeof list.active !== "function") return undefined;
  const active = new Set(list.active());
  const sockets = new Map<Socket, boolean>();
  for (const parser of list.all()) if (parser.socket instanceof Socket) sockets.set(parser.socket, active.has(parser));
  return sockets;
}

interface ConnectionsList {
  all(): { socket?: unknown }[];
  active(): { socket?: unknown }[];
}

/** The settings that an HTTP/2 server was given; undefined where they cannot be read. */
export function http2Settings(server: object): { readonly maxConcurrentStreams?: number } | undefined {
  const settings = (optionsOf(server) as { settings?: unknown } | undefined)?.settings;
  return typeof settings === "object" && settings !== null ? settings : undefined;
}

/** All bytes that a program has written to a stream of HTTP/2; undefined where they are not counted. */
export function streamBytesWritten(stream: object): number | undefined {
  const written = (handleOf(stream) as { bytesWritten?: unknown } | undefined)?.bytesWritten;
  return typeof written === "number" ? written : undefined;
}

/**
 * Whether nghttp2 has ended an HTTP/2 session by itself, after a fault of the client: it neither reads nor writes any more,
 * and http2 says so to nobody. False where that cannot be known.
 */
export function isSessionDead(session: object): boolean {
  return sessionHasPendingData(session) === false;
}

/** Whether the session of HTTP/2 has anything to read or to write; undefined where that cannot be known. */
export function sessionHasPendingData(session: object): unknown {
  const handle = handleOf(session) as { hasPendingData?: unknown } | undefined;
  return typeof handle?.hasPendingData === "function" ? handle.hasPendingData() : undefined;
}

/** The session of HTTP/2 that a socket belongs to: which property has it differs from Node to Node. */
export function http2SessionOn(socket: Socket): ServerHttp2Session | undefined {
  for (const key of Reflect.ownKeys(socket)) {
    const value: unknown = Reflect.getOwnPropertyDescriptor(socket, key)?.value;
    if (typeof value === "object" && value !== null && "pendingSettingsAck" in value)
      return value as ServerHttp2Session;
  }
  return undefined;
}

/** The open streams of a session of HTTP/2; undefined where they cannot be known. */
export function http2StreamsOf(session: ServerHttp2Session): readonly ServerHttp2Stream[] | undefined {
  const streams = (stateOf(session) as { streams?: unknown } | undefined)?.streams;
  // Of a class of Node's own, which is not `instanceof Map`.
  if (!types.isMap(streams)) return undefined;
  const all: unknown[] = [...Map.prototype.values.call(streams)];
  return all.filter((stream): stream is ServerHttp2Stream => stream instanceof Duplex);
}

/** What hears of an emitter's errors: a function where it is one, a list where there are more. Undefined where that cannot be known. */
export function errorListenersOf(emitter: EventEmitter): unknown {
  return (emitter as { _events?: { error?: unknown } })._events?.error;
}

/** Whether the compatibility API of HTTP/2 has made a request of a stream; false where that cannot be known. */
export function hasCompatRequest(stream: ServerHttp2Stream): boolean {
  return compatRequest(stream) != null;
}

/** The head of a request that the compatibility API of HTTP/2 has made of a stream; undefined where that cannot be known. */
export function http2HeadOf(stream: ServerHttp2Stream): readonly string[] | undefined {
  const raw = compatRequest(stream)?.rawHeaders;
  return Array.isArray(raw) ? (raw as readonly string[]) : undefined;
}

function compatRequest(stream: ServerHttp2Stream): { rawHeaders?: unknown } | null | undefined {
  return requestOn(stream) as { rawHeaders?: unknown } | null | undefined;
}

/** Reads what hangs on objects under a symbol that Node keeps to itself: it is looked for until it has been found once. */
function readerOf(description: string): (object: object) => unknown {
  let symbol: symbol | undefined;
  return (object) => {
    const value = symbol === undefined ? undefined : (object as Record<symbol, unknown>)[symbol];
    if (value !== undefined || (symbol !== undefined && symbol in object)) return value;
    const found = Object.getOwnPropertySymbols(object).find((own) => own.description === description);
    if (found === undefined) return undefined;
    symbol = found;
    return Reflect.get(object, found);
  };
}

const httpConnections = readerOf("http.server.connections");
const optionsOf = readerOf("options");
const handleOf = readerOf("kHandle");
const stateOf = readerOf("state");
const requestOn = readerOf("request");
const asyncIdOf = readerOf("async_id_symbol");

/** Whether a server has ever listened; false where that cannot be known. */
export function hasListened(server: object): boolean {
  return (asyncId(server) ?? -1) > 0;
}

/** The number under which Node follows a server that has listened; negative before, undefined where it is missing. */
export function asyncId(server: object): number | undefined {
  const id: unknown = asyncIdOf(server);
  return typeof id === "number" ? id : undefined;
}

/** Whether a server is the one by which the primary of a cluster accepts for its workers; false where that cannot be known. */
export function isClusterInternal(server: EventEmitter): boolean {
  // Its only listener is an assertion that it is never called.
  const [first, ...others] = server.listeners("connection");
  return first?.name === "fail" && others.length === 0;
}
