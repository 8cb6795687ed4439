/**
 * HTTP/2 on a server of node:http2, clear or secure: which phase a connection and each of its streams is in, and what a
 * client is told when they end. The README beside this file has the flow in steps.
 */
import type { Http2SecureServer, Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { http2SessionOn } from "../../core/node-internals.ts";
import { isTlsSocket } from "../../core/node-modules.ts";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import { connectionOfPort } from "../../connection/lookup.ts";
import type { SafetyLimitName, SafetyLimits } from "../../limits/safety-limits.ts";
import { http1 } from "../http1/http1.ts";
import type { HttpSettings } from "../http1/node-settings.ts";
import { interceptEmit } from "../intercept.ts";
import type { Pass, Protocol } from "../protocol.ts";
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
export function http2(server: Http2Server | Http2SecureServer, limits: SafetyLimits, observeOnly: boolean): Protocol {
  const restoreSettings = observeOnly ? undefined : limitStreams(server, limits);
  /** The connection whose session is just being made: 'session' is emitted from within. */
  let arriving: Http2Speaker | null = null;
  const sessions = interceptEmit(server, "session", (args) => {
    const session = args[0] as ServerHttp2Session;
    const speaker = arriving;
    if (speaker !== null) speaker.attach(session);
    // Its TLS handshake had begun before we came.
    else meet(session);
    try {
      sessions.pass(args);
    } finally {
      speaker?.start();
    }
  });
  let found: ((socket: Socket) => void) | undefined;
  /** One that was not found when we came. */
  let late: ServerHttp2Session | undefined;
  const meet = (session: ServerHttp2Session | undefined): void => {
    if (session === undefined || session.destroyed || connectionOfPort(session) !== undefined) return;
    late = session;
    try {
      found?.(socketOf(session));
    } finally {
      late = undefined;
    }
  };
  // A server that does not listen yet has no sessions but those that we are told of.
  const streams = server.listening
    ? interceptEmit(server, "stream", (args) => {
        meet((args[0] as ServerHttp2Stream).session as ServerHttp2Session | undefined);
        streams?.pass(args);
      })
    : null;
  return {
    name: "an HTTP/2 server",
    enforces: enforcedByHttp2,
    looks: true,
    shakesHands: true,
    speak(connection: Connection, socket: Socket, pass: Pass) {
      connection.speaker = arriving = new Http2Speaker(connection);
      try {
        pass(socket);
      } finally {
        arriving = null;
      }
      return undefined;
    },
    adoption: () => (connection, socket) => {
      const session = late ?? http2SessionOn(socket);
      if (session === undefined || session.destroyed) return false;
      const speaker = new Http2Speaker(connection, session.pendingSettingsAck);
      connection.speaker = speaker;
      speaker.adopt(session);
      return true;
    },
    findMore(tell) {
      found = tell;
    },
    // The caller has bounded the number.
    refuse: (socket) => socket.end(goaway).resume(),
    detach() {
      sessions.restore();
      streams?.restore();
      restoreSettings?.();
    },
  };
}

/** Speaks what a client of a secure server has chosen in its TLS handshake: HTTP/2, or HTTP/1.1 where the server allows it. */
export function negotiated(server: Http2SecureServer, limits: SafetyLimits, observeOnly: boolean): Protocol {
  const above = http2(server, limits, observeOnly);
  const older = allowsHttp1(server) ? http1(server, limits, observeOnly) : null;
  return {
    ...above,
    enforces: [...above.enforces, ...(older?.enforces ?? [])],
    speak(connection: Connection, socket: Socket, pass: Pass) {
      if (choseHttp2(socket as TLSSocket)) return above.speak(connection, socket, pass);
      connection.enter("idle", plan.request);
      if (older !== null) return older.speak(connection, socket, pass);
      // node:http2 tells the client that it has to speak HTTP/2, or the program takes the socket ('unknownProtocol').
      pass(socket);
      return undefined;
    },
    adoption() {
      const [adopt, adoptOlder] = [above.adoption?.(), older?.adoption?.()];
      return (connection, socket) =>
        isTlsSocket(socket) && (choseHttp2(socket) ? adopt : adoptOlder)?.(connection, socket) === true;
    },
    findMore(found) {
      above.findMore?.(found);
      older?.findMore?.(found);
    },
    detach() {
      older?.detach?.();
      above.detach?.();
    },
  };
}

function choseHttp2({ alpnProtocol }: TLSSocket): boolean {
  return alpnProtocol !== false && alpnProtocol !== "http/1.1";
}

/** The socket itself: `session.socket` stands for it and is another object, but its methods give the socket back. */
function socketOf(session: ServerHttp2Session): Socket {
  return session.socket.off("portreeve", socketOf);
}

/** node:http2 gives a server the settings of node:http where it speaks HTTP/1.1, too. */
export function allowsHttp1(server: object): server is Http2SecureServer & HttpSettings & Parameters<typeof http1>[0] {
  return "headersTimeout" in server;
}
