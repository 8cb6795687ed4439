/**
 * The listener: where the control flow of a server is put together.
 *
 *  1. Accept: the server's 'connection' event is taken before any listener of its own hears it.
 *  2. Admit: the socket gets a permit, waits for one, or is refused in the manner of the protocol.
 *  3. Connect: it becomes a connection: a custodian below the server's, a timer, a budget.
 *  4. Speak: the protocol serves it until it ends, for whatever reason.
 *  5. Release: when its ports have closed, its custodian's closers and the program's work have settled, the permit goes
 *     back; at the latest `finalizerTimeout` after the close, and then the work is published as abandoned.
 */
import type { Server, Socket } from "node:net";
import { defineChannel } from "../core/channels.ts";
import { Admission } from "../admission/admission.ts";
import type { Permit } from "../admission/permit.ts";
import type { Connection } from "../connection/connection.ts";
import { ConnectionManager } from "../connection/connection-manager.ts";
import type { ConnectionManagerOptions, Supervision } from "../connection/connection-manager.ts";
import type { Custodian } from "../custodian/custodian.ts";
import type { SafetyLimitName } from "../limits/safety-limits.ts";
import { interceptEmit } from "../protocols/intercept.ts";
import type { Interception } from "../protocols/intercept.ts";
import type { Protocol } from "../protocols/protocol.ts";

const abandonedChannel = defineChannel<{ connection: Connection }>("portreeve.work.abandoned");

/** What every connection of a server is held to, whatever the protocol. */
export const enforcedOnConnections: readonly SafetyLimitName[] = [
  "requestReadTimeout",
  "responseSendTimeout",
  "minSendRate",
  "maxBufferedBytes",
  "maxConnectionAge",
  "lingerTimeout",
];

/** What every listener enforces, whatever the protocol. */
export const enforcedByListeners: readonly SafetyLimitName[] = [
  "maxConcurrent",
  "maxWaiting",
  "waitTimeout",
  "shutdownGracePeriod",
  ...enforcedOnConnections,
];

export class Listener {
  readonly server: Server;
  readonly manager: ConnectionManager;
  readonly admission: Admission;
  readonly protocol: Protocol;
  readonly #custodian: Custodian;
  readonly #connections: Interception;

  constructor(
    server: Server,
    protocol: Protocol,
    custodian: Custodian,
    options: ConnectionManagerOptions,
    { observeOnly = false }: Supervision = {},
  ) {
    this.server = server;
    this.protocol = protocol;
    this.#custodian = custodian;
    this.manager = new ConnectionManager(options, { looks: protocol.looks, observeOnly });
    const { safetyLimits } = this.manager;
    this.admission = new Admission(safetyLimits, this.manager.plainTimers, {
      admitted: (socket, permit) => this.#connect(socket, permit),
      refused: (socket) => protocol.refuse(socket),
    });
    this.#connections = interceptEmit(server, "connection", (socket) => this.#accept(socket as Socket));
  }

  /** Gives the server its own events back. */
  detach(): void {
    this.#connections.restore();
    this.protocol.detach?.();
  }

  /** Gives the sockets back, too: from now on they are the program's alone. */
  letGo(): void {
    this.detach();
    for (const connection of this.manager.connections) connection.letGo();
  }

  #accept(socket: Socket): void {
    socket.on("error", ignore);
    this.admission.request(socket);
  }

  #connect(socket: Socket, permit: Permit): void {
    if (socket.destroyed || this.#custodian.isShutDown) {
      socket.destroy();
      permit.release();
      return;
    }
    const { requestReadTimeout } = this.manager.safetyLimits;
    const connection = this.manager.open(requestReadTimeout, socket, socket, this.#custodian.child(), false);
    const work = this.protocol.speak(connection, socket, () => this.#connections.pass(socket));
    void this.#release(connection, permit, work);
  }

  async #release(connection: Connection, permit: Permit, work: Promise<void> | undefined): Promise<void> {
    let working = work !== undefined;
    const worked = work?.finally(() => (working = false));
    await connection.closed;
    const { custodian } = connection;
    const closers = custodian.shutdownAll();
    // A custodian that has ended leaves its parent.
    if (working || custodian.parent !== null) await this.#withinFinalizerTimeout(connection, permit, [closers, worked]);
    permit.release();
  }

  async #withinFinalizerTimeout(connection: Connection, permit: Permit, work: unknown[]): Promise<void> {
    const timer = this.manager.plainTimers.start(connection.custodian.environment.finalizerTimeout, () => {
      permit.release();
      if (abandonedChannel.hasSubscribers) abandonedChannel.publish({ connection });
    });
    await Promise.all(work);
    timer.cancel();
  }
}

/** A socket that waits or lingers may still fail; nobody needs to know. */
function ignore(): void {}
