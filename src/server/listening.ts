/**
 * Listening and no longer listening, with errors that say where and why.
 */
import { once } from "node:events";
import type { ListenOptions, Server } from "node:net";
import { ListenError } from "../core/errors.ts";
import { hasListened } from "../core/node-internals.ts";

/** The options of `net.Server.listen`. */
export const listenKeys: readonly (keyof ListenOptions | "reusePort" | "fd" | "handle")[] = [
  "port",
  "host",
  "path",
  "backlog",
  "exclusive",
  "readableAll",
  "writableAll",
  "ipv6Only",
  "reusePort",
  "signal",
  "fd",
  "handle",
];

/** Those of `options` that `listen` knows. What is undefined is left out: Node would take it for a port. */
export function listenOptions(options: object): ListenOptions {
  const keys: readonly string[] = listenKeys;
  return Object.fromEntries(
    Object.entries(options).filter(([key, value]) => keys.includes(key) && value !== undefined),
  );
}

/** Starts listening. @throws ListenError when it cannot, saying where and why. */
export async function listen(server: Server, options: ListenOptions): Promise<void> {
  try {
    const listening = once(server, "listening");
    server.listen(options);
    await listening;
  } catch (error) {
    throw new ListenError(describeAddress(options), error as NodeJS.ErrnoException);
  }
}

/** Servers whose `close` is being called by us. */
const stopping = new WeakSet<Server>();

/** Whether it is us who call the `close` of the server, and not the program. */
export function isStopping(server: Server): boolean {
  return stopping.has(server);
}

/**
 * Stops accepting, and touches no connection. A server that is still looking up its first address will not listen.
 * Where HTTP servers are told to close they destroy what they call idle connections, among them those whose last answer is
 * still on its way to a slow client.
 */
export function stopListening(server: Server & { closeIdleConnections?(): void }): void {
  if (!server.listening && hasListened(server)) return;
  const own = Object.getOwnPropertyDescriptor(server, "closeIdleConnections");
  server.closeIdleConnections = () => {};
  stopping.add(server);
  server.close();
  stopping.delete(server);
  if (own === undefined) delete server.closeIdleConnections;
  else Object.defineProperty(server, "closeIdleConnections", own);
}

function describeAddress({ path, host, port }: ListenOptions): string {
  if (path !== undefined) return path;
  return `${host === undefined ? "port " : `${host.includes(":") ? `[${host}]` : host}:`}${port ?? 0}`;
}
