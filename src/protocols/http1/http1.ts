/**
 * HTTP/1.1 on a server of node:http: which phase a connection is in, and what a client is told when it ends. The README
 * beside this file has the flow in steps.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { httpSocketsOf, responseOnSocket, wasUpgraded } from "../../core/node-internals.ts";
import { isHttpServer, isHttpsServer, isIncomingMessage, isTlsServer, isTlsSocket } from "../../core/node-modules.ts";
import { toError } from "../../core/report.ts";
import { closeReasons } from "../../connection/close-reason.ts";
import type { Connection } from "../../connection/connection.ts";
import { connectionOf, connectionOfPort, hearErrors } from "../../connection/lookup.ts";
import { isProtocolError } from "../../connection/ports.ts";
import type { SafetyLimitName, SafetyLimits } from "../../limits/safety-limits.ts";
import { interceptEmit } from "../intercept.ts";
import type { Interception } from "../intercept.ts";
import type { Pass, Protocol } from "../protocol.ts";
import { adoptUpgraded, enforcedOnUpgraded, upgrade } from "../websocket/upgraded.ts";
import { errorAnswer, parserStatus, refusal } from "./answers.ts";
import { ServerSettings } from "./node-settings.ts";
import type { HttpSettings } from "./node-settings.ts";
import { Http1Speaker } from "./speaker.ts";

/** Beyond what every listener enforces. */
export const enforcedByHttp1: readonly SafetyLimitName[] = [
  "idleTimeout",
  "responseTimeout",
  "maxRequestLineLength",
  "maxRequestHeaders",
  "maxRequestHeaderLength",
  "maxRequestBodyLength",
  "maxRequestsPerConnection",
  "minReceiveRate",
  ...enforcedOnUpgraded,
];

/** Speaks HTTP/1.1 on the sockets of `server`, with the program's own listeners. */
export function http1(server: Server & HttpSettings, limits: SafetyLimits, observeOnly: boolean): Protocol {
  const settings = new ServerSettings(server, limits, observeOnly);
  let meet: ((socket: Socket) => void) | undefined;
  const connectionOn = ({ socket }: IncomingMessage): Connection | undefined => {
    const connection = connectionOfPort(socket);
    if (connection !== undefined) return connection;
    meet?.(socket);
    return connectionOfPort(socket);
  };
  const interceptions = [
    // With a listener for an expectation of the client there is no 'request' of it.
    ...["request", "checkExpectation"].map((event) => takeRequests(server, event, connectionOn)),
    takeRequests(server, "checkContinue", connectionOn, goOnByItself),
    ...["upgrade", "connect"].map((event) => takeUpgrades(server, event, connectionOn)),
    takeClientErrors(server),
  ];
  // Without any listener node:http tells a client to go on before anybody has seen its request.
  server.on("checkContinue", ignore);
  const speakOn = (connection: Connection, socket: Socket): Http1Speaker => {
    const speaker = new Http1Speaker(connection, settings);
    connection.speaker = speaker;
    socket.setTimeout = setTimeoutOfHttp1;
    // How node:http closes after the last response. Ours lets a client that is still sending see that response.
    socket.destroySoon = destroySoonOfHttp1;
    return speaker;
  };
  return {
    name: "an HTTP/1.1 server",
    enforces: enforcedByHttp1,
    looks: true,
    speak(connection: Connection, socket: Socket, pass: Pass) {
      speakOn(connection, socket);
      pass(socket);
      return undefined;
    },
    adoption() {
      const known = httpSocketsOf(server);
      return (connection, socket) => {
        const isEncrypted = isTlsServer(server) && !isTlsSocket(socket);
        if (known === undefined && isEncrypted) return false;
        if (wasUpgraded(socket) || known?.has(socket) === false) adoptUpgraded(connection);
        else speakOn(connection, socket).adopt(responseOnSocket(socket), known?.get(socket) === true);
        return true;
      };
    },
    findMore(found) {
      meet = found;
    },
    refuse: (socket) => refusal(socket),
    detach() {
      for (const interception of interceptions) interception.restore();
      server.off("checkContinue", ignore);
      settings.restore();
    },
  };
}

/** One function for all sockets. */
function setTimeoutOfHttp1(this: Socket, ms: number, callback?: () => void): Socket {
  const speaker = connectionOfPort(this)?.speaker;
  if (callback === undefined && speaker instanceof Http1Speaker && speaker.takeIdleTimer(ms)) return this;
  // A stream that is no socket has none.
  const { setTimeout } = Object.getPrototypeOf(this) as Partial<Socket>;
  return setTimeout?.call(this, ms, callback) ?? this;
}

/** One function for all sockets. */
function destroySoonOfHttp1(this: Socket): void {
  connectionOfPort(this)?.finish();
}

/** The connection of a request. A response has no socket before its turn has come; a request always has. */
type ConnectionOn = (request: IncomingMessage) => Connection | undefined;

/** @param instead says whether it has done itself what the program does not listen for */
function takeRequests(
  server: Server,
  event: string,
  connectionOn: ConnectionOn,
  instead?: (server: Server, request: IncomingMessage, response: ServerResponse) => boolean,
): Interception {
  // On a server that speaks HTTP/2 as well, requests of HTTP/2 come by here, too.
  const isPlain = isHttpServer(server) || isHttpsServer(server);
  const requests = interceptEmit(server, event, (args) => {
    const request = args[0] as IncomingMessage;
    const response = args[1] as ServerResponse;
    const speaker = isPlain || isIncomingMessage(request) ? connectionOn(request)?.speaker : undefined;
    if (speaker instanceof Http1Speaker && !speaker.begin(request, response)) return;
    if (instead?.(server, request, response) !== true) passOrEnd(requests, request, args);
  });
  return requests;
}

/** What node:http does where nobody listens for 'checkContinue'. */
function goOnByItself(server: Server, request: IncomingMessage, response: ServerResponse): boolean {
  if (server.listeners("checkContinue").some((listener) => listener !== ignore)) return false;
  response.writeContinue();
  server.emit("request", request, response);
  return true;
}

function ignore(): void {}

function takeUpgrades(server: Server, event: string, connectionOn: ConnectionOn): Interception {
  const upgrades = interceptEmit(server, event, (args) => {
    const request = args[0] as IncomingMessage;
    const connection = connectionOn(request);
    // node:http does not listen any more.
    hearErrors(request.socket);
    if (connection?.speaker instanceof Http1Speaker && connection.speaker.leave()) return;
    // One that was met only now is upgraded already.
    if (connection !== undefined && connection.phase !== "upgraded") leaveHttp(connection, request);
    passOrEnd(upgrades, request, args);
  });
  return upgrades;
}

function leaveHttp(connection: Connection, request: IncomingMessage): void {
  connection.speaker?.letGo?.();
  // While an earlier request is being answered, what is written first says nothing about this one.
  if (responseOnSocket(request.socket) !== undefined) adoptUpgraded(connection);
  else upgrade(connection, request, (reason) => errorAnswer(closeReasons[reason].httpStatus, null, "reading"));
}

/** A listener of the program that throws ends its own connection only. */
function passOrEnd(interception: Interception, request: IncomingMessage, args: readonly unknown[]): void {
  try {
    interception.pass(args);
  } catch (error) {
    const connection = connectionOf(request);
    if (connection === undefined) throw error;
    connection.manager.fail(toError(error), connection);
    connection.end("handler-error");
  }
}

/** A program that listens for these answers them itself. */
function takeClientErrors(server: Server): Interception {
  const errors = interceptEmit(server, "clientError", (args) => {
    const [error, socket] = args as [NodeJS.ErrnoException, Socket];
    const connection = connectionOf(socket);
    const speaker = connection?.speaker;
    // What comes behind an end is nobody's fault.
    if (isProtocolError(error) && speaker instanceof Http1Speaker && speaker.leave()) return;
    if (!errors.pass(args)) {
      if (connection === undefined) socket.destroy(error);
      else endUnparsed(connection, error);
    } else if (socket.writableEnded || socket.destroyed) connection?.portFailed(error);
  });
  return errors;
}

/** What came is no HTTP, or the socket failed. */
function endUnparsed(connection: Connection, error: NodeJS.ErrnoException): void {
  const { speaker } = connection;
  // The client has ended in the middle of a request.
  if (error.code === "HPE_INVALID_EOF_STATE") {
    if (!(speaker instanceof Http1Speaker && speaker.answersFirst("client-ended"))) connection.end("client-ended");
    return;
  }
  // The parser may refuse a request before we had a look at it.
  if (speaker instanceof Http1Speaker) speaker.look();
  // The timeouts of node:http's own, where they are in force.
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
    connection.end("read-timeout", null);
    return;
  }
  if (speaker instanceof Http1Speaker && isProtocolError(error)) {
    speaker.parserStatus = parserStatus(error.code);
    if (speaker.answersFirst("protocol-error")) return;
  }
  connection.portFailed(error);
}
