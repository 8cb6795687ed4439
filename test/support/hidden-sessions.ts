/**
 * A Node on whose sockets no session of HTTP/2 can be found.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http2";
import { Socket } from "node:net";

/**
 * Lets no socket show its session, under whatever name this Node has for it. It goes on keeping it: a session that nobody
 * keeps is collected, and answers no longer. @returns how to undo it
 */
export function hideSessions(): () => void {
  const socket = new Socket().on("error", () => {}).connect({ host: "127.0.0.1", port: 1 });
  let session: object | undefined;
  createServer()
    .on("session", (made) => (session = made))
    .emit("connection", socket);
  const key = Reflect.ownKeys(socket).find((own) => Reflect.get(socket, own) === session);
  socket.destroy();
  assert.ok(session !== undefined && key !== undefined);
  const kept = new WeakMap<object, unknown>();
  Object.defineProperty(Socket.prototype, key, {
    configurable: true,
    get: () => undefined,
    set(value: unknown) {
      kept.set(this as object, value);
    },
  });
  return () => void Reflect.deleteProperty(Socket.prototype, key);
}
