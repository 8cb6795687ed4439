/**
 * TLS below another protocol: the handshake, with a deadline that frees the socket.
 */
import type { Socket } from "node:net";
import type { Server, TLSSocket } from "node:tls";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import { connectionOfPort } from "../../connection/lookup.ts";
import { interceptEmit } from "../intercept.ts";
import type { Protocol } from "../protocol.ts";
import { rawSocketOf } from "./raw-socket.ts";

/** Speaks TLS on the connections of `server`, and `above` on what comes out of it. */
export function tls(server: Server, above: Protocol): Protocol {
  const pending = new WeakMap<Connection, (secure: TLSSocket) => void>();
  const secured = interceptEmit(server, "secureConnection", (socket) => {
    const secure = socket as TLSSocket;
    const connection = connectionOfPort(rawSocketOf(secure));
    const proceed = connection === undefined ? undefined : pending.get(connection);
    if (proceed === undefined) secure.destroy();
    else proceed(secure);
  });
  server.on("tlsClientError", (_error, secure) => {
    connectionOfPort(rawSocketOf(secure))?.end("protocol-error");
    secure.destroy();
  });
  return {
    name: above.name,
    enforces: ["handshakeTimeout", ...above.enforces],
    refuse: (socket) => socket.resetAndDestroy(),
    speak(connection: Connection, _socket: Socket, pass: () => void) {
      connection.enter("handshaking", plan.handshake);
      const work = new Promise<void>((resolve) => {
        void connection.closed.then(() => resolve());
        pending.set(connection, (secure) => {
          pending.delete(connection);
          connection.replacePorts(secure, secure);
          connection.enter("idle", plan.request);
          resolve(above.speak(connection, secure, () => secured.pass(secure)));
        });
      });
      pass();
      return work;
    },
    look: (connection) => {
      if (connection.phase !== "handshaking") above.look?.(connection);
    },
    drain(connection) {
      if (connection.phase === "handshaking") connection.end("drained");
      else above.drain(connection);
    },
  };
}
