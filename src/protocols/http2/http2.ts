/**
 * HTTP/2 on a server of node:http2, clear or secure: which phase a connection and each of its streams is in, and what a
 * client is told when they end. The README beside this file has the flow in steps.
 */
import type { Http2SecureServer, Http2Server, ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import type { SafetyLimitName, SafetyLimits } from "../../limits/safety-limits.ts";
import { http1 } from "../http1/http1.ts";
import type { HttpSettings } from "../http1/node-settings.ts";
import { interceptEmit } from "../intercept.ts";
import type { Protocol } from "../protocol.ts";
import { limitStreams } from "./settings.ts";
import { Http2Speaker } from "./speaker.ts";

/** Beyond what every listener enforces. */
export const enforcedByHttp2: readonly SafetyLimitName[] = [
  "handshakeTimeout",
  "idleTimeout",
  "responseTimeout",
  "maxRequestLineLength",
  "maxRequestHeaders",
  "maxRequestHeaderLength",
  "maxRequestBodyLength",
  "maxRequestsPerConnection",
  "minReceiveRate",
  "maxConcurrentStreams",
  "maxStreamResets",
  "maxControlFrames",
];

/** Empty settings, and GOAWAY(NO_ERROR) with 0 as the last stream (RFC 9113, sections 6.5 and 6.8). */
const goaway = Buffer.from(`000000040000000000000008070000000000${"0".repeat(16)}`, "hex");

/** Speaks HTTP/2 on the sockets of `server`, with the program's own listeners. */
export function http2(server: Http2Server | Http2SecureServer, limits: SafetyLimits): Protocol {
  const restoreSettings = limitStreams(server, limits);
  /** The connection whose session is just being made: 'session' is emitted from within. */
  let arriving: Http2Speaker | null = null;
  const sessions = interceptEmit(server, "session", (session) => {
    arriving?.attach(session as ServerHttp2Session);
    sessions.pass(session);
  });
  return {
    name: "an HTTP/2 server",
    enforces: enforcedByHttp2,
    looks: true,
    shakesHands: true,
    speak(connection: Connection, _socket: Socket, pass: () => void) {
      connection.speaker = arriving = new Http2Speaker(connection);
      try {
        pass();
      } finally {
        arriving = null;
      }
      return undefined;
    },
    // The caller has bounded the number.
    refuse: (socket) => socket.end(goaway).resume(),
    detach() {
      sessions.restore();
      restoreSettings();
    },
  };
}

/** Speaks what a client of a secure server has chosen in its TLS handshake: HTTP/2, or HTTP/1.1 where the server allows it. */
export function negotiated(server: Http2SecureServer, limits: SafetyLimits): Protocol {
  const above = http2(server, limits);
  const older = allowsHttp1(server) ? http1(server, limits) : null;
  return {
    ...above,
    enforces: [...above.enforces, ...(older?.enforces ?? [])],
    speak(connection: Connection, socket: Socket, pass: () => void) {
      const { alpnProtocol } = socket as TLSSocket;
      if (alpnProtocol !== false && alpnProtocol !== "http/1.1") return above.speak(connection, socket, pass);
      connection.enter("idle", plan.request);
      if (older !== null) return older.speak(connection, socket, pass);
      // node:http2 tells the client that it has to speak HTTP/2, or the program takes the socket ('unknownProtocol').
      pass();
      return undefined;
    },
    detach() {
      older?.detach?.();
      above.detach?.();
    },
  };
}

/** node:http2 gives a server the settings of node:http where it speaks HTTP/1.1, too. */
export function allowsHttp1(server: object): server is Http2SecureServer & HttpSettings & Parameters<typeof http1>[0] {
  return "headersTimeout" in server;
}
