/**
 * Node's modules for HTTP, TLS and HTTP/2, loaded when something comes that needs them. A program that speaks neither TLS nor
 * HTTP/2 would hold 2 MB for them, and since Node 22 an `import` of node:http loads these and undici, 12 MB or more that a
 * program in CommonJS does without. So whether something is of one of their classes is asked of a property first that all
 * of these have.
 */
import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Server as TlsServer, TLSSocket } from "node:tls";

export function nodeHttp(): typeof import("node:http") {
  return process.getBuiltinModule("node:http");
}

export function nodeTls(): typeof import("node:tls") {
  return process.getBuiltinModule("node:tls");
}

export function nodeHttp2(): typeof import("node:http2") {
  return process.getBuiltinModule("node:http2");
}

export function isHttpServer(server: object): server is HttpServer {
  return "headersTimeout" in server && server instanceof nodeHttp().Server;
}

/** Of HTTP/1. */
export function isIncomingMessage(request: object): request is IncomingMessage {
  return "httpVersion" in request && request instanceof nodeHttp().IncomingMessage;
}

/** Of TLS in any of its servers: node:tls, node:https, or the secure one of node:http2. */
export function isTlsServer(server: object): server is TlsServer {
  return "setSecureContext" in server && server instanceof nodeTls().Server;
}

export function isTlsSocket(socket: object): socket is TLSSocket {
  return "encrypted" in socket && socket instanceof nodeTls().TLSSocket;
}

export function isHttpsServer(server: object): server is HttpsServer {
  return isTlsServer(server) && server instanceof process.getBuiltinModule("node:https").Server;
}

/** Whether a server may be one of node:http2, which exports none of its classes. */
export function mayBeHttp2Server(server: object): boolean {
  return "updateSettings" in server;
}
