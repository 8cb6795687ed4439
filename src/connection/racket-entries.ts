/**
 * The entries of Racket's page as functions, each one line over a method.
 */
import { ArgumentTypeError } from "../core/errors.ts";
import { duration } from "../core/units.ts";
import type { Duration } from "../core/units.ts";
import type { Custodian } from "../custodian/custodian.ts";
import { isConnection } from "./lookup.ts";
import type { Connection } from "./connection.ts";
import type { CloseReason } from "./close-reason.ts";
import { isConnectionManager } from "./connection-manager.ts";
import type { ConnectionManager } from "./connection-manager.ts";
import type { InputPort, OutputPort } from "./ports.ts";

/**
 * Makes a connection of two ports, or of one Duplex given twice. It owns the ports from now on and ends with
 * `custodian`, and `custodian` with it: give each connection a custodian of its own. The first timeout is the manager's
 * `requestReadTimeout`, or `timeout` (milliseconds) in the form with six arguments; the other limits apply either way.
 * The connection publishes the errors of its ports, and ends by itself when both have closed.
 * Racket entry: `new-connection`.
 * @throws CustodianShutDownError when the custodian is shut down; the ports are then closed.
 */
export function newConnection(
  manager: ConnectionManager,
  input: InputPort,
  output: OutputPort,
  custodian: Custodian,
  shouldClose: boolean,
): Connection;
export function newConnection(
  manager: ConnectionManager,
  timeout: Duration,
  input: InputPort,
  output: OutputPort,
  custodian: Custodian,
  shouldClose: boolean,
): Connection;
export function newConnection(manager: ConnectionManager, ...given: unknown[]): Connection {
  if (!isConnectionManager(manager)) throw new ArgumentTypeError("manager", "a connection manager", manager);
  const timeout = given.length > 4 ? duration(given.shift(), "timeout") : manager.safetyLimits.requestReadTimeout;
  const [input, output, custodian, shouldClose] = given;
  return manager.open(timeout, input, output, custodian, shouldClose);
}

/** See `Connection.kill`. Racket entry: `kill-connection!`. */
export function killConnection(connection: Connection, reason?: CloseReason): void {
  checkConnection(connection).kill(reason);
}

/** See `Connection.adjustTimeout`. Racket entry: `adjust-connection-timeout!`. */
export function adjustConnectionTimeout(connection: Connection, ms: Duration): boolean {
  return checkConnection(connection).adjustTimeout(ms);
}

/** See `Connection.resetTimeout`. Racket entry: `reset-connection-timeout!`. */
export function resetConnectionTimeout(connection: Connection, ms: Duration): boolean {
  return checkConnection(connection).resetTimeout(ms);
}

function checkConnection(value: unknown): Connection {
  if (!isConnection(value)) throw new ArgumentTypeError("connection", "a connection", value);
  return value;
}
