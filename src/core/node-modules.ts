/**
 * Node's modules for HTTP, TLS and HTTP/2. An `import` of node:http loads all of them and undici since Node 22, 10 MB that a
 * program in CommonJS does without; so it is loaded without one. A program that speaks neither TLS nor HTTP/2 would hold 2 MB
 * for these: they are loaded when something comes that needs them. Whether something is of a class of TLS is asked of a
 * property first that all of these have.
 *
 * What is used of a module is taken out of it once: a program may replace what it exports.
 */
import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Server as TlsServer, TLSSocket } from "node:tls";

type Http = Pick<
  typeof import("node:http"),
  "IncomingMessage" | "maxHeaderSize" | "Server" | "ServerResponse" | "STATUS_CODES"
>;
type Tls = Pick<typeof import("node:tls"), "createSecureContext" | "createServer" | "Server" | "TLSSocket">;
type Http2 = Pick<typeof import("node:http2"), "constants" | "createServer" | "Http2ServerRequest">;

export const nodeHttp: Http = takenFromHttp();
let httpsServer: typeof HttpsServer | undefined;
let tls: Tls | undefined;
let http2: Http2 | undefined;

function takenFromHttp(): Http {
  const { IncomingMessage, maxHeaderSize, Server, ServerResponse, STATUS_CODES } =
    process.getBuiltinModule("node:http");
  return { IncomingMessage, maxHeaderSize, Server, ServerResponse, STATUS_CODES };
}

// One by one: asking for all would make root certificates, and load what is loaded when it is asked for.
function takenFromTls(): Tls {
  const { createSecureContext, createServer, Server, TLSSocket } = process.getBuiltinModule("node:tls");
  return { createSecureContext, createServer, Server, TLSSocket };
}

function takenFromHttp2(): Http2 {
  const { constants, createServer, Http2ServerRequest } = process.getBuiltinModule("node:http2");
  return { constants, createServer, Http2ServerRequest };
}

export function nodeTls(): Tls {
  return (tls ??= takenFromTls());
}

export function nodeHttp2(): Http2 {
  return (http2 ??= takenFromHttp2());
}

export function isHttpServer(server: object): server is HttpServer {
  return server instanceof nodeHttp.Server;
}

/** Of HTTP/1. */
export function isIncomingMessage(request: object): request is IncomingMessage {
  return request instanceof nodeHttp.IncomingMessage;
}

/** Of TLS in any of its servers: node:tls, node:https, or the secure one of node:http2. */
export function isTlsServer(server: object): server is TlsServer {
  return "setSecureContext" in server && server instanceof nodeTls().Server;
}

export function isTlsSocket(socket: object): socket is TLSSocket {
  return "encrypted" in socket && socket instanceof nodeTls().TLSSocket;
}

export function isHttpsServer(server: object): server is HttpsServer {
  if (!isTlsServer(server)) return false;
  httpsServer ??= process.getBuiltinModule("node:https").Server;
  return server instanceof httpsServer;
}

/** Whether a server is one of node:http2, which exports none of its classes: by the name of the one that has this method. */
export function isHttp2Server(server: object): boolean {
  for (let one: unknown = Object.getPrototypeOf(server); one instanceof Object; one = Object.getPrototypeOf(one)) {
    if (Object.hasOwn(one, "updateSettings") && http2Names.has(one.constructor.name)) return true;
  }
  return false;
}

const http2Names: ReadonlySet<string> = new Set(["Http2Server", "Http2SecureServer"]);
