/**
 * TLS below another protocol: the handshake, with a deadline that frees the socket.
 */
import type { Socket } from "node:net";
import type { Server, TLSSocket } from "node:tls";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import { connectionOfPort } from "../../connection/lookup.ts";
import { isDeparture } from "../../connection/ports.ts";
import type { SafetyLimitName } from "../../limits/safety-limits.ts";
import { interceptEmit } from "../intercept.ts";
import type { Protocol } from "../protocol.ts";
import { rawSocketOf } from "../../core/node-internals.ts";

/** Beyond what the protocol above enforces. */
export const enforcedByTls: readonly SafetyLimitName[] = ["handshakeTimeout"];

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
  server.on("tlsClientError", onFailure);
  return {
    name: above.name,
    enforces: [...enforcedByTls, ...above.enforces],
    looks: above.looks,
    refuse: (socket) => socket.resetAndDestroy(),
    speak(connection: Connection, socket: Socket, pass: () => void) {
      connection.enter("handshaking", plan.handshake);
      connection.speaker = { drain: () => connection.end("drained") };
      const work = new Promise<void>((resolve) => {
        void connection.closed.then(() => resolve());
        pending.set(connection, (secure) => {
          pending.delete(connection);
          connection.speaker = null;
          secure.allowHalfOpen = allowHalfOpen;
          connection.replacePorts(secure, secure);
          connection.enter("idle", plan.request);
          resolve(above.speak(connection, secure, () => secured.pass(secure)));
        });
      });
      // The TLS socket inherits this. Until the handshake is over, a client that ends has left.
      const { allowHalfOpen } = socket;
      socket.allowHalfOpen = false;
      pass();
      return work;
    },
    detach() {
      secured.restore();
      server.off("tlsClientError", onFailure);
      above.detach?.();
    },
  };
}

function onFailure(error: NodeJS.ErrnoException, secure: TLSSocket): void {
  connectionOfPort(rawSocketOf(secure))?.end(handshakeFailure(error));
  secure.destroy();
}

/** A client that only leaves is told apart by Node from one that resets: its error comes from no system call. */
function handshakeFailure(error: NodeJS.ErrnoException): CloseReason {
  if (!isDeparture(error)) return "protocol-error";
  return error.syscall === undefined ? "client-ended" : "client-reset";
}
