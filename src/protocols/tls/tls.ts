/**
 * TLS below another protocol: the handshake, with a deadline that frees the socket. The README beside this file has the
 * flow in steps.
 */
import { Socket } from "node:net";
import type { Server, TLSSocket } from "node:tls";
import { httpSocketsOf, rawSocketOf, secureSocketOn } from "../../core/node-internals.ts";
import { isTlsSocket } from "../../core/node-modules.ts";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import { connectionOfPort } from "../../connection/lookup.ts";
import { isDeparture } from "../../connection/ports.ts";
import type { SafetyLimitName } from "../../limits/safety-limits.ts";
import { interceptEmit } from "../intercept.ts";
import type { Adopt, Pass, Protocol } from "../protocol.ts";
import { Handshake, Handshakes } from "./handshakes.ts";

/** Beyond what the protocol above enforces. */
export const enforcedByTls: readonly SafetyLimitName[] = ["handshakeTimeout"];

/** Speaks TLS on the connections of `server`, and `above` on what comes out of it. */
export function tls(server: Server, above: Protocol): Protocol {
  const handshakes = new Handshakes();
  let meet: ((socket: Socket) => void) | undefined;
  const secured = interceptEmit(server, "secureConnection", (args) => {
    const secure = args[0] as TLSSocket;
    const handshake = handshakes.take(secure);
    if (handshake !== undefined) handshake.succeed(secure);
    else if (connectionOfPort(rawSocketOf(secure))?.closeReason != null) secure.destroy();
    else {
      // Its handshake had begun before we came.
      meet?.(secure);
      secured.pass(args);
    }
  });
  const onFailure = (error: NodeJS.ErrnoException, secure: TLSSocket): void => {
    // No limit's doing: where a deadline has passed it is Node's own, since ours needs no event.
    handshakes.take(secure)?.connection.end(handshakeFailure(error), null);
    // The program's own listeners may have left it open.
    secure.destroy();
  };
  server.on("tlsClientError", onFailure);
  const passSecured = (secure: Socket): void => void secured.pass([secure]);
  const shakeHands = (connection: Connection, socket: Socket, next: (secure: TLSSocket) => void): void => {
    connection.enter("handshaking", plan.handshake);
    handshakes.begin(new Handshake(connection, socket, next));
  };
  return {
    name: above.name,
    enforces: [...enforcedByTls, ...above.enforces],
    looks: above.looks,
    refuse: (socket) => socket.resetAndDestroy(),
    speak(connection: Connection, socket: Socket, pass: Pass) {
      const work = new Promise<void>((resolve) => {
        void connection.closed.then(() => resolve());
        shakeHands(connection, socket, (secure) => {
          if (above.shakesHands !== true) connection.enter("idle", plan.request);
          resolve(above.speak(connection, secure, passSecured));
        });
      });
      pass(socket);
      return work;
    },
    ...(above.adoption && {
      adoption: () =>
        adoption(server, above.adoption?.(), (connection, socket) =>
          shakeHands(connection, socket, (secure) => {
            if (above.shakesHands !== true) connection.enter("idle", plan.request);
            void above.speak(connection, secure, passSecured);
          }),
        ),
    }),
    findMore(found) {
      meet = found;
      above.findMore?.(found);
    },
    detach() {
      secured.restore();
      server.off("tlsClientError", onFailure);
      above.detach?.();
    },
  };
}

/** How connections that are older than our being here are taken over. */
function adoption(
  server: Server,
  above: Adopt | undefined,
  shakeHands: (connection: Connection, socket: Socket) => void,
): Adopt {
  const secureOn = new Map<Socket | undefined, Socket>();
  for (const secure of httpSocketsOf(server)?.keys() ?? []) secureOn.set(rawSocketOf(secure), secure);
  return (connection, socket) => {
    const secure = isTlsSocket(socket) ? socket : (secureOn.get(socket) ?? secureSocketOn(socket));
    // Where nothing leads to the layer above: as long as nothing was said to the client, it has not even begun.
    if (secure === undefined ? socket.bytesWritten === 0 : isShakingHands(secure)) {
      shakeHands(connection, socket);
      return true;
    }
    // Where nothing leads to the layer above, the bytes below it are what can be seen.
    if (secure !== undefined) connection.replacePorts(secure, secure);
    return above?.(connection, secure ?? socket) === true;
  };
}

function isShakingHands(secure: Socket & { secureConnecting?: boolean }): boolean {
  return secure.secureConnecting === true;
}

/** A client that only leaves is told apart by Node from one that resets: its error comes from no system call. */
function handshakeFailure(error: NodeJS.ErrnoException): CloseReason {
  if (error.code === "ERR_TLS_HANDSHAKE_TIMEOUT") return "handshake-timeout";
  if (!isDeparture(error)) return "protocol-error";
  return error.syscall === undefined ? "client-ended" : "client-reset";
}
