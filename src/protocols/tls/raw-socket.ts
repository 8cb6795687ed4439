/**
 * From a TLS socket to the socket below it. Node keeps the way private; where it is missing, nothing is found and the
 * connection ends at its handshake deadline.
 */
import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

export function rawSocketOf(secure: TLSSocket): Socket | undefined {
  const parent = (secure as { _parent?: unknown })._parent;
  return parent instanceof Socket ? parent : undefined;
}
