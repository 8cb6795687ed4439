/**
 * An app that calls `server.close()` on a server that is managed with no code: the server drains, and its callback is
 * called when nobody is connected any more. An app that does so after a drain has closed its server already, as handlers
 * of SIGTERM do, is told the same, once, instead of an error.
 */
import type { Server } from "node:net";
import { isStopping } from "../server/listening.ts";

type Callback = (error?: Error) => void;
type Close = (this: Server, callback?: Callback) => Server;

/**
 * Puts a `close` of its own on one server.
 * @param drain ends the server politely
 * @returns how to put it off again
 */
export function joinClose(server: Server, drain: () => void): () => void {
  const earlier = Object.getOwnPropertyDescriptor(server, "close");
  let stopped = false;
  let closed = false;
  let appClosed = false;

  const restore = (): void => {
    // Where somebody has wrapped ours meanwhile, it stays below, and passes everything on.
    if (server.close !== own) return;
    if (earlier === undefined) delete (server as Partial<Server>).close;
    else Object.defineProperty(server, "close", earlier);
  };
  const nodeClose = (callback?: Callback): Server => {
    const prototype = Object.getPrototypeOf(server) as { close: Close };
    return ((earlier?.value as Close | undefined) ?? prototype.close).call(server, callback);
  };
  const own: Close = (callback) => {
    if (isStopping(server)) {
      stopped = true;
      server.once("close", () => (closed = true));
      return nodeClose();
    }
    // What is not open any more, or not yet, is closed as Node does it: with an error.
    if (appClosed || (!stopped && !server.listening)) return nodeClose(callback);
    appClosed = true;
    if (typeof callback === "function") {
      if (closed) process.nextTick(callback);
      else server.once("close", () => callback());
    }
    if (!stopped) drain();
    return server;
  };
  server.close = own;
  return restore;
}
