/**
 * The connections of a server that speaks HTTP. Nobody but the server sees their sockets, and Node's own means do not
 * reach all of them: `closeAllConnections` skips upgraded ones, and HTTP/2 servers have none.
 */
import type { Server, Socket } from "node:net";

interface HttpServer extends Server {
  closeAllConnections?(): void;
}

/** The sockets that each watched server accepted since it is watched. */
const connections = new WeakMap<Server, Set<Socket>>();

/** Whether a server is one of `node:http`, `node:https` or `node:http2`, told without loading these. */
export function speaksHttp(server: Server): boolean {
  return "closeAllConnections" in server || "updateSettings" in server;
}

/** Keeps an eye on a server's connections and its end. @returns how to stop that */
export function watchConnections(server: Server, ended: () => void): () => void {
  const sockets = new Set<Socket>();
  const accepted = (socket: Socket): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  connections.set(server, sockets);
  server.on("connection", accepted);
  server.on("close", ended);
  return () => {
    server.off("connection", accepted);
    server.off("close", ended);
  };
}

/** Stops listening and cuts every connection. Settles when all have closed. */
export function endConnections(server: HttpServer): Promise<void> {
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  server.close();
  server.closeAllConnections?.();
  for (const socket of connections.get(server) ?? []) socket.destroy();
  return closed;
}
