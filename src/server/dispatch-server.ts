/**
 * The dispatch server: a protocol of one's own from two functions, `readRequest` and `dispatch`. Racket entries:
 * `dispatch-server-with-connect@`, `serve`, `serve-ports`.
 */
import { Server } from "node:net";
import type { ListenOptions } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { TlsOptions } from "node:tls";
import { ArgumentTypeError } from "../core/errors.ts";
import { nodeTls } from "../core/node-modules.ts";
import { checkBoolean, checkFunction, checkOptions, optional } from "../core/options.ts";
import { toError } from "../core/report.ts";
import { makeCustodian } from "../custodian/make-custodian.ts";
import type { CloseReason } from "../connection/close-reason.ts";
import type { Connection } from "../connection/connection.ts";
import { ConnectionManager } from "../connection/connection-manager.ts";
import type { ConnectionErrorHandler, ConnectionManagerOptions } from "../connection/connection-manager.ts";
import { plan } from "../connection/deadline-plan.ts";
import { checkReadable, checkWritable, toReadable, toWritable } from "../connection/ports.ts";
import type { InputPort, OutputPort } from "../connection/ports.ts";
import { requireEnforced } from "../limits/enforced.ts";
import { makeSafetyLimits, toSafetyLimits } from "../limits/safety-limits.ts";
import type { SafetyLimitName, SafetyLimits, SafetyLimitsOptions } from "../limits/safety-limits.ts";
import type { Protocol } from "../protocols/protocol.ts";
import { tls } from "../protocols/tls/tls.ts";
import { addressesOf, converse } from "./conversation.ts";
import type { Dispatch, Handlers, ReadRequest } from "./conversation.ts";
import { Listener, enforcedByListeners, enforcedOnConnections } from "./listener.ts";
import { listenKeys, listenOptions } from "./listening.ts";
import { start } from "./running-server.ts";
import type { RunningServer } from "./running-server.ts";

/** Turns the ports of a socket into those that are talked on: decompression, a handshake of one's own. */
export type PortsToRealPorts = (input: Readable, output: Writable) => RealPorts | Promise<RealPorts>;

export interface RealPorts {
  input: InputPort;
  output: OutputPort;
}

/** What `servePorts` and `serve` have in common. */
export interface ConversationOptions<Request> {
  /** Reads one request from `connection`; null when the client has ended. What it throws ends the connection. */
  readRequest: ReadRequest<Request>;
  /** Answers one request on `connection.output`. What it throws ends the connection. */
  dispatch: Dispatch<Request>;
  /** Runs under `handshakeTimeout`. The raw ports are closed with the connection too. */
  portsToRealPorts?: PortsToRealPorts;
  /** @default makeSafetyLimits() */
  safetyLimits?: SafetyLimits | SafetyLimitsOptions;
  /** Told of errors that are not a client's departure. @default a process warning */
  onError?: ConnectionErrorHandler;
  /** Whether `currentCustodian()` works inside `dispatch`. Costs something at every await. @default false */
  asyncContext?: boolean;
  /** Where time comes from. @default the clock of the process */
  clock?: ConnectionManagerOptions["clock"];
}

/** Options of `serve`: besides these, all of `net.ListenOptions` (port, host, path, backlog, exclusive, signal, ...). */
export interface ServeOptions<Request> extends ConversationOptions<Request>, ListenOptions {
  /** Speaks TLS with these options of `tls.createServer`. */
  tls?: TlsOptions;
}

const conversationKeys = [
  "readRequest",
  "dispatch",
  "portsToRealPorts",
  "safetyLimits",
  "onError",
  "asyncContext",
  "clock",
] as const;

/** The deadline of the handshake is ours, so Node's is as far away as it can be. */
const tlsDefaults: TlsOptions = { allowHalfOpen: true, noDelay: true, handshakeTimeout: 2 ** 31 - 1 };

const enforcedInConversation: readonly SafetyLimitName[] = [
  "idleTimeout",
  "responseTimeout",
  "minReceiveRate",
  "handshakeTimeout",
];

/**
 * Listens, and talks with each client: `readRequest`, then `dispatch`, then again. Every connection has a custodian, a
 * deadline and a budget; one that fails ends alone. Resolves once it listens. The caller owns the server.
 * @throws ListenError when the port is taken, and errors that name the option for bad options.
 */
export async function serve<Request>(options: ServeOptions<Request>): Promise<RunningServer> {
  const known = [...conversationKeys, ...listenKeys, "tls"] as const;
  const given = checkOptions(options, "options", known) as Partial<ServeOptions<Request>>;
  const handlers = checkHandlers(given);
  const safetyLimits = optional(given.safetyLimits, "safetyLimits", toSafetyLimits, makeSafetyLimits());
  const secure = given.tls === undefined ? null : nodeTls().createServer({ ...tlsDefaults, ...checkTls(given.tls) });
  requireEnforced(safetyLimits, new Set([...enforcedByListeners, ...enforcedInConversation]), "serve");
  const server = secure ?? new Server({ allowHalfOpen: true, noDelay: true });
  let port = 0;
  const talk: Protocol = {
    name: "serve",
    enforces: enforcedInConversation,
    // At once, so that the descriptor is free before the next client is accepted.
    refuse: (socket) => socket.destroy(),
    looks: false,
    speak: (connection) => talkOn(connection, port, handlers),
  };
  const protocol = secure === null ? talk : tls(secure, talk);
  const custodian = makeCustodian(undefined, { name: "server", ...clockOption(given) });
  const listener = new Listener(server, protocol, custodian, { safetyLimits, ...managerOptions(given) });
  const running = await start(listener, custodian, listenOptions(given), 0);
  port = running.port;
  return running;
}

/**
 * Talks on one pair of ports, such as the standard streams of a process, as `serve` does on those of a socket. Settles
 * with the reason when the connection has closed and the program's work has settled. Racket entry: `serve-ports`.
 */
export async function servePorts<Request>(
  input: InputPort,
  output: OutputPort,
  options: ConversationOptions<Request>,
): Promise<CloseReason> {
  const given = checkOptions(options, "options", conversationKeys) as Partial<ConversationOptions<Request>>;
  const handlers = checkHandlers(given);
  const safetyLimits = optional(given.safetyLimits, "safetyLimits", toSafetyLimits, makeSafetyLimits());
  requireEnforced(safetyLimits, new Set([...enforcedOnConnections, ...enforcedInConversation]), "servePorts");
  checkReadable(input, "input");
  checkWritable(output, "output");
  const manager = new ConnectionManager({ safetyLimits, ...managerOptions(given) });
  const custodian = makeCustodian(undefined, { name: "ports", ...clockOption(given) });
  try {
    const connection = manager.open(safetyLimits.requestReadTimeout, input, output, custodian, false);
    await talkOn(connection, 0, handlers);
    return await connection.closed;
  } finally {
    await custodian.shutdownAll("closed");
    await manager[Symbol.asyncDispose]();
  }
}

interface CheckedHandlers<Request> extends Handlers<Request> {
  readonly portsToRealPorts: PortsToRealPorts | undefined;
}

function checkHandlers<Request>(options: Partial<ConversationOptions<Request>>): CheckedHandlers<Request> {
  const readRequest = checkFunction<ReadRequest<Request>>(options.readRequest, "options.readRequest");
  const dispatch = checkFunction<Dispatch<Request>>(options.dispatch, "options.dispatch");
  const { portsToRealPorts, asyncContext, onError } = options;
  optional(onError, "options.onError", checkFunction<ConnectionErrorHandler>, undefined);
  const inContext = optional(asyncContext, "options.asyncContext", checkBoolean, false);
  return {
    readRequest,
    dispatch: inContext
      ? (connection, request) => connection.custodian.run(() => dispatch(connection, request))
      : dispatch,
    portsToRealPorts: optional(
      portsToRealPorts,
      "options.portsToRealPorts",
      checkFunction<PortsToRealPorts>,
      undefined,
    ),
  };
}

/** Never rejects. */
async function talkOn<Request>(
  connection: Connection,
  port: number,
  handlers: CheckedHandlers<Request>,
): Promise<void> {
  const source = { port, addresses: addressesOf(connection.raw ?? connection.input) };
  const { portsToRealPorts } = handlers;
  if (portsToRealPorts !== undefined && !(await convertPorts(connection, portsToRealPorts))) return;
  await converse(connection, source, handlers);
}

/** @returns whether there is anybody left to talk with. */
async function convertPorts(connection: Connection, portsToRealPorts: PortsToRealPorts): Promise<boolean> {
  connection.enter("handshaking", plan.handshake);
  try {
    const real = await portsToRealPorts(connection.input, connection.output);
    if (typeof real !== "object" || real === null) {
      throw new ArgumentTypeError("portsToRealPorts", "it to give { input, output }", real);
    }
    checkReadable(real.input, "portsToRealPorts: input");
    checkWritable(real.output, "portsToRealPorts: output");
    connection.replacePorts(toReadable(real.input), toWritable(real.output));
  } catch (error) {
    if (connection.closeReason === null) {
      connection.manager.fail(toError(error), connection);
      connection.end("protocol-error");
    }
  }
  connection.enter("idle", plan.request);
  return connection.closeReason === null;
}

function managerOptions<Request>(options: Partial<ConversationOptions<Request>>): ConnectionManagerOptions {
  return { ...clockOption(options), ...(options.onError === undefined ? {} : { onError: options.onError }) };
}

function checkTls(value: unknown): TlsOptions {
  if (typeof value !== "object" || value === null) throw new ArgumentTypeError("options.tls", "TLS options", value);
  return value;
}

function clockOption<Request>({
  clock,
}: Partial<ConversationOptions<Request>>): Pick<ConnectionManagerOptions, "clock"> {
  return clock === undefined ? {} : { clock };
}
