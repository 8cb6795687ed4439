/**
 * HTTP/1.1 on a server of node:http: which phase a connection is in, and what a client is told when it ends. The README
 * beside this file has the flow in steps.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { toError } from "../../core/report.ts";
import { closeReasons } from "../../connection/close-reason.ts";
import type { Connection } from "../../connection/connection.ts";
import { connectionOf } from "../../connection/lookup.ts";
import { isProtocolError } from "../../connection/ports.ts";
import type { SafetyLimitName } from "../../limits/safety-limits.ts";
import { interceptEmit } from "../intercept.ts";
import type { Interception } from "../intercept.ts";
import type { Protocol } from "../protocol.ts";
import { Exchanges } from "./exchanges.ts";
import { takeOverClock } from "./node-timeouts.ts";
import { errorAnswer, parserStatus, refusal } from "./answers.ts";

/** Beyond what every listener enforces. */
export const enforcedByHttp1: readonly SafetyLimitName[] = ["idleTimeout", "responseTimeout"];

/** Speaks HTTP/1.1 on the sockets of `server`, with the program's own listeners. */
export function http1(server: Server): Protocol {
  const all = new WeakMap<Connection, Exchanges>();
  // A response has no socket before its turn has come; a request always has.
  const exchangesOf = (request: IncomingMessage): Exchanges | undefined => {
    const connection = connectionOf(request);
    return connection === undefined ? undefined : all.get(connection);
  };
  const restoreClock = takeOverClock(server);
  const interceptions = [
    // With a listener for an expectation of the client there is no 'request' of it.
    ...["request", "checkContinue", "checkExpectation"].map((event) =>
      takeRequests(server, event, (request, response) => exchangesOf(request)?.begin(response)),
    ),
    ...["upgrade", "connect"].map((event) => takeUpgrades(server, event, (request) => exchangesOf(request)?.upgrade())),
    takeClientErrors(server, (error, socket) => {
      const connection = connectionOf(socket);
      if (connection === undefined) socket.destroy(error);
      else endUnparsed(connection, all.get(connection), error);
    }),
  ];
  return {
    name: "an HTTP/1.1 server",
    enforces: enforcedByHttp1,
    speak(connection: Connection, socket: Socket, pass: () => void) {
      const exchanges = new Exchanges(connection);
      all.set(connection, exchanges);
      connection.lastWords = (_connection, reason) => {
        const status = exchanges.parserStatus ?? closeReasons[reason].httpStatus;
        const answer = errorAnswer(status, exchanges.current, connection.lastPhase);
        exchanges.leaveSocketToUs();
        if (answer !== null && !connection.output.writableEnded) connection.output.write(answer);
      };
      connection.extension = () => exchanges.extension();
      // How node:http closes after the last response. Ours lets a client that is still sending see that response.
      socket.destroySoon = () => connection.finish();
      pass();
      return undefined;
    },
    look: (connection) => all.get(connection)?.look(),
    refuse: (socket) => refusal(socket),
    drain: (connection) => all.get(connection)?.drain(),
    detach() {
      for (const interception of interceptions) interception.restore();
      restoreClock();
    },
  };
}

function takeRequests(
  server: Server,
  event: string,
  begin: (request: IncomingMessage, response: ServerResponse) => void,
): Interception {
  const requests = interceptEmit(server, event, (...args) => {
    const [request, response] = args as [IncomingMessage, ServerResponse];
    begin(request, response);
    try {
      requests.pass(...args);
    } catch (error) {
      const connection = connectionOf(request);
      if (connection === undefined) throw error;
      connection.manager.fail(toError(error), connection);
      connection.end("handler-error");
    }
  });
  return requests;
}

function takeUpgrades(server: Server, event: string, upgrade: (request: IncomingMessage) => void): Interception {
  const upgrades = interceptEmit(server, event, (...args) => {
    upgrade(args[0] as IncomingMessage);
    upgrades.pass(...args);
  });
  return upgrades;
}

/** A program that listens for these answers them itself. */
function takeClientErrors(server: Server, end: (error: Error, socket: Socket) => void): Interception {
  const errors = interceptEmit(server, "clientError", (...args) => {
    const [error, socket] = args as [Error, Socket];
    if (!errors.pass(error, socket)) end(error, socket);
    else if (socket.writableEnded || socket.destroyed) connectionOf(socket)?.portFailed(error);
  });
  return errors;
}

/** What came is no HTTP, or the socket failed. */
function endUnparsed(connection: Connection, exchanges: Exchanges | undefined, error: NodeJS.ErrnoException): void {
  // The client has ended in the middle of a request.
  if (error.code === "HPE_INVALID_EOF_STATE") connection.end("client-ended");
  else {
    // The parser may refuse a request before we had a look at it.
    exchanges?.look();
    if (exchanges !== undefined && isProtocolError(error)) exchanges.parserStatus = parserStatus(error.code);
    connection.portFailed(error);
  }
}
