/**
 * HTTP/1.1 on a server of node:http: which phase a connection is in, and what a client is told when it ends. The README
 * beside this file has the flow in steps.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { responseOnSocket } from "../../core/node-internals.ts";
import { toError } from "../../core/report.ts";
import { closeReasons } from "../../connection/close-reason.ts";
import type { Connection } from "../../connection/connection.ts";
import { connectionOf, connectionOfPort } from "../../connection/lookup.ts";
import { isProtocolError } from "../../connection/ports.ts";
import type { SafetyLimitName, SafetyLimits } from "../../limits/safety-limits.ts";
import { interceptEmit } from "../intercept.ts";
import type { Interception } from "../intercept.ts";
import type { Protocol } from "../protocol.ts";
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
export function http1(server: Server & HttpSettings, limits: SafetyLimits): Protocol {
  const settings = new ServerSettings(server, limits);
  const interceptions = [
    // With a listener for an expectation of the client there is no 'request' of it.
    ...["request", "checkContinue", "checkExpectation"].map((event) => takeRequests(server, event)),
    ...["upgrade", "connect"].map((event) => takeUpgrades(server, event)),
    takeClientErrors(server),
  ];
  return {
    name: "an HTTP/1.1 server",
    enforces: enforcedByHttp1,
    looks: true,
    speak(connection: Connection, socket: Socket, pass: () => void) {
      connection.speaker = new Http1Speaker(connection, settings);
      socket.setTimeout = setTimeoutOfHttp1;
      // How node:http closes after the last response. Ours lets a client that is still sending see that response.
      socket.destroySoon = destroySoonOfHttp1;
      pass();
      return undefined;
    },
    refuse: (socket) => refusal(socket),
    detach() {
      for (const interception of interceptions) interception.restore();
      settings.restore();
    },
  };
}

/** One function for all sockets. */
function setTimeoutOfHttp1(this: Socket, ms: number, callback?: () => void): Socket {
  const speaker = connectionOfPort(this)?.speaker;
  if (callback === undefined && speaker instanceof Http1Speaker && speaker.takeIdleTimer(ms)) return this;
  return Socket.prototype.setTimeout.call(this, ms, callback);
}

/** One function for all sockets. */
function destroySoonOfHttp1(this: Socket): void {
  connectionOfPort(this)?.finish();
}

function speakerOf(request: IncomingMessage): Http1Speaker | undefined {
  // A response has no socket before its turn has come; a request always has.
  const speaker = connectionOfPort(request.socket)?.speaker;
  return speaker instanceof Http1Speaker ? speaker : undefined;
}

function takeRequests(server: Server, event: string): Interception {
  const requests = interceptEmit(server, event, (...args) => {
    const [request, response] = args as [IncomingMessage, ServerResponse];
    if (speakerOf(request)?.begin(request, response) === false) return;
    passOrEnd(requests, args, connectionOfPort(request.socket));
  });
  return requests;
}

function takeUpgrades(server: Server, event: string): Interception {
  const upgrades = interceptEmit(server, event, (...args) => {
    const request = args[0] as IncomingMessage;
    const connection = connectionOfPort(request.socket);
    if (connection !== undefined) leaveHttp(connection, request);
    passOrEnd(upgrades, args, connection);
  });
  return upgrades;
}

function leaveHttp(connection: Connection, request: IncomingMessage): void {
  connection.speaker?.letGo?.();
  // While an earlier request is being answered, what is written first says nothing about this one.
  if (responseOnSocket(request.socket) !== undefined) adoptUpgraded(connection);
  else upgrade(connection, request, (reason) => errorAnswer(closeReasons[reason].httpStatus, undefined, "reading"));
}

/** A listener of the program that throws ends its own connection only. */
function passOrEnd(interception: Interception, args: unknown[], connection: Connection | undefined): void {
  try {
    interception.pass(...args);
  } catch (error) {
    if (connection === undefined) throw error;
    connection.manager.fail(toError(error), connection);
    connection.end("handler-error");
  }
}

/** A program that listens for these answers them itself. */
function takeClientErrors(server: Server): Interception {
  const errors = interceptEmit(server, "clientError", (...args) => {
    const [error, socket] = args as [NodeJS.ErrnoException, Socket];
    const connection = connectionOf(socket);
    if (!errors.pass(error, socket)) {
      if (connection === undefined) socket.destroy(error);
      else endUnparsed(connection, error);
    } else if (socket.writableEnded || socket.destroyed) connection?.portFailed(error);
  });
  return errors;
}

/** What came is no HTTP, or the socket failed. */
function endUnparsed(connection: Connection, error: NodeJS.ErrnoException): void {
  // The client has ended in the middle of a request.
  if (error.code === "HPE_INVALID_EOF_STATE") {
    connection.end("client-ended");
    return;
  }
  const { speaker } = connection;
  if (speaker instanceof Http1Speaker) {
    // The parser may refuse a request before we had a look at it.
    speaker.look();
    if (isProtocolError(error)) speaker.parserStatus = parserStatus(error.code);
  }
  connection.portFailed(error);
}
