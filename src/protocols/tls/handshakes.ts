/**
 * The handshakes under way on one server, and whose they are once they are over.
 */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { rawSocketOf } from "../../core/node-internals.ts";
import type { Connection } from "../../connection/connection.ts";
import type { Speaker } from "../../connection/speaker.ts";

/** The speaker of a connection that shakes hands. */
export class Handshake implements Speaker {
  readonly connection: Connection;
  /** The socket below. */
  readonly socket: Socket;
  readonly #allowHalfOpen: boolean;
  readonly #next: (secure: TLSSocket) => void;

  constructor(connection: Connection, socket: Socket, next: (secure: TLSSocket) => void) {
    this.connection = connection;
    this.socket = socket;
    this.#next = next;
    // The TLS socket inherits this. Until the handshake is over, a client that ends has left.
    this.#allowHalfOpen = socket.allowHalfOpen;
    socket.allowHalfOpen = false;
    connection.speaker = this;
  }

  /** The handshake is over, and the protocol above begins. */
  succeed(secure: TLSSocket): void {
    const { connection } = this;
    connection.speaker = null;
    secure.allowHalfOpen = this.#allowHalfOpen;
    this.socket.allowHalfOpen = this.#allowHalfOpen;
    connection.replacePorts(secure, secure);
    this.#next(secure);
  }

  /** Nobody is in the middle of anything yet. */
  drain(): void {
    this.connection.end("drained");
  }

  letGo(): void {
    this.socket.allowHalfOpen = this.#allowHalfOpen;
  }
}

export class Handshakes {
  readonly #pending: Map<Socket, Handshake> = new Map();

  begin(handshake: Handshake): void {
    const { connection, socket } = handshake;
    this.#pending.set(socket, handshake);
    void connection.closed.then(() => this.#pending.delete(socket));
  }

  /** The handshake that a TLS socket came out of, if it is still under way. It is not, from now on. */
  take(secure: TLSSocket): Handshake | undefined {
    const raw = rawSocketOf(secure);
    const handshake = raw === undefined ? this.#findByAddress(secure) : this.#pending.get(raw);
    if (handshake !== undefined) this.#pending.delete(handshake.socket);
    return handshake;
  }

  /** Where nothing leads from a TLS socket to the one below, both have the same peer. O(n). */
  #findByAddress({ remoteAddress, remotePort }: TLSSocket): Handshake | undefined {
    if (remotePort === undefined) return undefined;
    for (const handshake of this.#pending.values()) {
      const { socket } = handshake;
      if (socket.remotePort === remotePort && socket.remoteAddress === remoteAddress) return handshake;
    }
    return undefined;
  }
}
