/**
 * `portreeve/http`: a server of node:http or node:https that listens with every connection under a manager. Its
 * handlers, frameworks included, stay as they are.
 *
 * ```ts
 * import { createServer } from "node:http";
 * import { serveHttp } from "portreeve/http";
 *
 * const web = createServer((request, response) => response.end("hello\n"));
 * const server = await serveHttp(web, { port: 8080, safetyLimits: { responseTimeout: "30s" } });
 * process.once("SIGTERM", () => server.stop());
 * ```
 */
import { Server } from "node:http";
import { Server as HttpsServer } from "node:https";
import type { ListenOptions } from "node:net";
import { ArgumentTypeError } from "../core/errors.ts";
import { checkOptions, optional } from "../core/options.ts";
import { makeCustodian } from "../custodian/make-custodian.ts";
import type { Custodian } from "../custodian/custodian.ts";
import type { ConnectionErrorHandler, ConnectionManagerOptions } from "../connection/connection-manager.ts";
import { makeSafetyLimits, toSafetyLimits } from "../limits/safety-limits.ts";
import type { SafetyLimitName, SafetyLimits, SafetyLimitsOptions } from "../limits/safety-limits.ts";
import type { Clock } from "../core/clock.ts";
import { enforcedByHttp1, http1 } from "../protocols/http1/http1.ts";
import { isIntercepted } from "../protocols/intercept.ts";
import type { Protocol } from "../protocols/protocol.ts";
import { enforcedByTls, tls } from "../protocols/tls/tls.ts";
import { Listener, enforcedByListeners } from "./listener.ts";
import { listenKeys, listenOptions } from "./listening.ts";
import { start } from "./running-server.ts";
import type { RunningServer } from "./running-server.ts";

/** Besides these, all of `net.ListenOptions` (port, host, path, backlog, signal, ...). */
export interface ServeHttpOptions extends ListenOptions {
  /** @default makeSafetyLimits() */
  safetyLimits?: SafetyLimits | SafetyLimitsOptions;
  /** Told of errors that are not a client's departure. @default a process warning */
  onError?: ConnectionErrorHandler;
  /** Where time comes from. @default the clock of the process */
  clock?: Clock;
}

/** The limits that `serveHttp` enforces; one that is set to a value of its own and is not among them is refused. */
export const httpLimitNames: readonly SafetyLimitName[] = [
  ...enforcedByListeners,
  ...enforcedByHttp1,
  ...enforcedByTls,
];

/** What an HTTP server grants work in flight where the limits leave it open: inside the 30 s of Kubernetes. */
const defaultGrace = 25_000;

/**
 * Listens with `server`, which must not listen yet. Node's own timeouts of it are replaced by the limits. Resolves once
 * it listens; the caller owns the result, which owns the server.
 * @throws ListenError when the port is taken, LimitNotEnforcedError for a limit that HTTP/1.1 does not enforce yet.
 */
export async function serveHttp(server: Server | HttpsServer, options?: ServeHttpOptions): Promise<RunningServer> {
  const isSecure = isHttpsServer(server);
  if (!isSecure && !(server instanceof Server)) {
    throw new ArgumentTypeError("server", "a server of node:http or node:https", server);
  }
  if (server.listening) throw new ArgumentTypeError("server", "a server that does not listen yet", server);
  if (isIntercepted(server, "connection")) {
    throw new ArgumentTypeError("server", "a server that serveHttp was not called with before", server);
  }
  const given = checkOptions(options, "options", ["safetyLimits", "onError", "clock", ...listenKeys]);
  const { clock, onError } = options ?? {};
  const safetyLimits = optional(given.safetyLimits, "safetyLimits", toSafetyLimits, makeSafetyLimits());
  const manager = { safetyLimits, ...(clock && { clock }), ...(onError && { onError }) };
  const custodian = makeCustodian(undefined, { name: "http server", ...(clock && { clock }) });
  const web = http1(server, safetyLimits);
  const listener = makeListener(server, isSecure ? tls(server, web) : web, custodian, manager);
  return start(listener, custodian, listenOptions(options ?? {}), defaultGrace);
}

function makeListener(
  server: Server | HttpsServer,
  protocol: Protocol,
  custodian: Custodian,
  options: ConnectionManagerOptions,
): Listener {
  try {
    return new Listener(server, protocol, custodian, options);
  } catch (error) {
    // Bad options: the server is as it was before.
    protocol.detach?.();
    throw error;
  }
}

function isHttpsServer(value: unknown): value is HttpsServer {
  return value instanceof HttpsServer;
}

export type { RunningServer };
