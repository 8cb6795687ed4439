/**
 * `manage`: puts any server of Node's under a connection manager, with its handlers as they are.
 *
 * ```ts
 * import { createServer } from "node:http";
 * import { manage } from "portreeve";
 *
 * const web = createServer((request, response) => response.end("hello\n"));
 * const managed = manage(web.listen(8080), { safetyLimits: { responseTimeout: "30s" } });
 * process.once("SIGTERM", () => managed.drain({ grace: "25s" }));
 * ```
 */
import type { Server } from "node:net";
import type { Clock } from "../core/clock.ts";
import { ArgumentTypeError } from "../core/errors.ts";
import { checkBoolean, checkFunction, checkOptions, optional } from "../core/options.ts";
import { hasListened } from "../core/node-internals.ts";
import { isTlsServer } from "../core/node-modules.ts";
import { warnOfMissingInternals } from "../core/node-self-test.ts";
import type { Connection } from "../connection/connection.ts";
import type { ConnectionErrorHandler, ConnectionManagerOptions } from "../connection/connection-manager.ts";
import { makeCustodian } from "../custodian/make-custodian.ts";
import type { Custodian } from "../custodian/custodian.ts";
import { requireEnforced } from "../limits/enforced.ts";
import { makeSafetyLimits, toSafetyLimits } from "../limits/safety-limits.ts";
import type { SafetyLimitName, SafetyLimits, SafetyLimitsOptions } from "../limits/safety-limits.ts";
import { isIntercepted } from "../protocols/intercept.ts";
import { kindOf, limitsOn, speechOf } from "../server/server-kinds.ts";
import { Listener } from "../server/listener.ts";
import { Managed, managedOf } from "./managed.ts";
import type { AutomaticManagement } from "./managed.ts";

export interface ManageOptions {
  /** @default makeSafetyLimits() */
  safetyLimits?: SafetyLimits | SafetyLimitsOptions;
  /** Told of errors that are not a client's departure. @default a process warning */
  onError?: ConnectionErrorHandler;
  /** Told, in a drain, of each connection that is in the middle of something, so that protocols of one's own can say goodbye. */
  onDrain?: (connection: Connection) => unknown;
  /** Limits cut nothing: what they would have done is published as `portreeve.connection.spared`. @default false */
  observeOnly?: boolean;
  /** Where time comes from. @default the clock of the process */
  clock?: Clock;
}

/**
 * Puts servers of node:net, tls, http, https or http2 under a manager, listening already or not: every connection gets an
 * owner, a deadline and a budget. Several servers drain as one. The caller owns the result.
 * @throws ArgumentTypeError for what is no server, one that has closed, or one that is under a manager already.
 */
export function manage(servers: Server | readonly Server[], options?: ManageOptions): Managed {
  const given = checkOptions(options, "options", ["safetyLimits", "onError", "onDrain", "observeOnly", "clock"]);
  const limits = optional(given.safetyLimits, "safetyLimits", toSafetyLimits, makeSafetyLimits());
  const onDrain = optional(given.onDrain, "options.onDrain", checkFunction<(c: Connection) => unknown>, undefined);
  const observeOnly = optional(given.observeOnly, "options.observeOnly", checkBoolean, false);
  const { clock, onError } = options ?? {};
  const settings = { ...(clock && { clock }), ...(onError && { onError }) };
  const all = checkServers(servers);
  requireEnforced(
    limits,
    new Set(all.flatMap(enforcedLimits)),
    all.length === 1 ? "this server" : "none of these servers",
  );
  // What is managed with no code is the app's own from now on.
  for (const server of all) managedOf(server)?.detach();
  return attach(all, limits, { settings, observeOnly, onDrain });
}

/** How servers are put under a manager. */
export interface Attaching {
  readonly settings?: ConnectionManagerOptions;
  readonly observeOnly?: boolean;
  readonly onDrain?: ((connection: Connection) => unknown) | undefined;
  /** Given where no code of the app's asks for it. */
  readonly automatic?: AutomaticManagement;
}

/** Puts servers that were checked under a manager. @internal */
export function attach(all: readonly Server[], limits: SafetyLimits, attaching: Attaching): Managed {
  const { settings = {}, observeOnly = false, onDrain, automatic } = attaching;
  const { clock } = settings;
  const custodian = makeCustodian(undefined, { name: "servers", ...(clock && { clock }) });
  const listeners: Listener[] = [];
  try {
    for (const server of all) listeners.push(listen(server, limits, custodian, settings, observeOnly));
  } catch (error) {
    // The servers and their sockets are as they were before.
    for (const listener of listeners) listener.letGo();
    void custodian.shutdownAll("bad options");
    throw error;
  }
  return new Managed(listeners, custodian, onDrain, automatic);
}

/** The limits that `manage` enforces on the connections of a server. @throws ArgumentTypeError for what is no server */
export function enforcedLimits(server: Server): readonly SafetyLimitName[] {
  const kind = kindOf(server);
  if (kind === undefined) throw notAServer("server", server);
  return limitsOn(kind);
}

function listen(
  server: Server,
  wanted: SafetyLimits,
  custodian: Custodian,
  settings: ConnectionManagerOptions,
  observeOnly: boolean,
): Listener {
  const kind = kindOf(server);
  if (kind === undefined) throw notAServer("servers", server);
  warnOfMissingInternals({
    isEncrypted: isTlsServer(server),
    speaksHttp2: kind === "http2" || kind === "http2-secure",
    listens: server.listening,
  });
  const { protocol, limits } = speechOf(server, kind, wanted, observeOnly);
  try {
    return new Listener(server, protocol, custodian, { ...settings, safetyLimits: limits }, { observeOnly });
  } catch (error) {
    protocol.detach?.();
    throw error;
  }
}

function checkServers(given: unknown): readonly Server[] {
  const servers: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (servers.length === 0) throw new ArgumentTypeError("servers", "at least one server", given);
  if (new Set(servers).size < servers.length) throw new ArgumentTypeError("servers", "each server once", given);
  return servers.map((server, i) => checkServer(server, Array.isArray(given) ? `servers[${i}]` : "server"));
}

function checkServer(server: unknown, path: string): Server {
  if (kindOf(server) === undefined) throw notAServer(path, server);
  const known = server as Server;
  const managed = managedOf(known);
  if (managed?.isAutomatic === true) return known;
  if (managed !== undefined || isIntercepted(known, "connection")) {
    throw new ArgumentTypeError(path, "a server that is not under a manager yet", server);
  }
  if (!known.listening && hasListened(known)) {
    throw new ArgumentTypeError(path, "a server that has not closed", server);
  }
  return known;
}

function notAServer(path: string, value: unknown): ArgumentTypeError {
  return new ArgumentTypeError(path, "a server of node:net, tls, http, https or http2", value);
}
