/**
 * HTTP/1.1 on a server of node:http: which phase a connection is in, and what a client is told when it ends. The README
 * beside this file has the flow in steps.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Connection } from "../../connection/connection.ts";
import { connectionOf } from "../../connection/lookup.ts";
import { interceptEmit } from "../intercept.ts";
import type { Protocol } from "../protocol.ts";
import { Exchanges } from "./exchanges.ts";
import { takeOverClock } from "./node-timeouts.ts";
import { errorAnswer, refusal } from "./answers.ts";

/** Speaks HTTP/1.1 on the sockets of `server`, with the program's own 'request' listeners. */
export function http1(server: Server): Protocol {
  takeOverClock(server);
  const all = new WeakMap<Connection, Exchanges>();
  const requests = interceptEmit(server, "request", (...args) => {
    const [request, response] = args as [IncomingMessage, ServerResponse];
    const connection = connectionOf(request);
    if (connection !== undefined) all.get(connection)?.begin(response);
    requests.pass(...args);
  });
  return {
    name: "an HTTP/1.1 server",
    enforces: ["idleTimeout", "responseTimeout"],
    speak(connection: Connection, _socket: Socket, pass: () => void) {
      const exchanges = new Exchanges(connection);
      all.set(connection, exchanges);
      connection.lastWords = (_connection, reason) => {
        const answer = errorAnswer(reason, exchanges.current, connection.lastPhase);
        exchanges.leaveSocketToUs();
        if (answer !== null) connection.output.write(answer);
      };
      connection.extension = () => exchanges.extension();
      pass();
      return undefined;
    },
    look: (connection) => all.get(connection)?.look(),
    refuse: (socket) => refusal(socket),
    drain: (connection) => all.get(connection)?.drain(),
  };
}
