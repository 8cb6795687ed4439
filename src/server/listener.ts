/**
 * The listener: where the control flow of a server is put together.
 *
 *  1. Accept: the server's 'connection' event is taken before any listener of its own hears it.
 *  2. Admit: the socket gets a permit, waits for one, or is refused in the manner of the protocol.
 *  3. Connect: it becomes a connection: a timer, a budget, and a custodian below the server's when it is asked for.
 *  4. Speak: the protocol serves it until it ends, for whatever reason.
 *  5. Release: when its ports have closed, its custodian's closers and the program's work have settled, the permit goes
 *     back; at the latest `finalizerTimeout` after the close, and then the work is published as abandoned.
 */
import type { Server, Socket } from "node:net";
import { defineChannel } from "../core/channels.ts";
import { Admission } from "../admission/admission.ts";
import type { AdmissionLimit, AdmissionOutcome } from "../admission/admission.ts";
import type { Connection } from "../connection/connection.ts";
import type { ConnectionHost } from "../connection/connection-host.ts";
import { ConnectionManager } from "../connection/connection-manager.ts";
import type { ConnectionManagerOptions, Supervision } from "../connection/connection-manager.ts";
import { connectionOfPort, hearErrors, stopHearing } from "../connection/lookup.ts";
import type { ConnectionRegistry } from "../connection/registry.ts";
import type { Custodian } from "../custodian/custodian.ts";
import type { ResourceKind } from "../custodian/resources.ts";
import type { SafetyLimitName } from "../limits/safety-limits.ts";
import { rawSocketOf } from "../core/node-internals.ts";
import { interceptEmit } from "../protocols/intercept.ts";
import type { Interception } from "../protocols/intercept.ts";
import type { Adopt, Protocol } from "../protocols/protocol.ts";
import { openSockets } from "./open-sockets.ts";
import { Refusals } from "./refusals.ts";

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

export class Listener implements ConnectionHost {
  readonly server: Server;
  readonly manager: ConnectionManager;
  readonly admission: Admission;
  readonly protocol: Protocol;
  readonly #custodian: Custodian;
  readonly #connections: Interception;
  readonly #refusals: Refusals;
  /** One function for all sockets. */
  readonly #pass = (socket: Socket): void => void this.#connections.pass([socket]);
  #detached = false;
  /** The program's work for a connection that lives, until it has settled. */
  readonly #work: Map<Connection, Promise<void>> = new Map();

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
    custodian.manage(this.manager.connections, connectionsKind);
    const { safetyLimits, plainTimers } = this.manager;
    const outcome: AdmissionOutcome = {
      admitted: (socket, spared) => this.#connect(socket, spared),
      refused: (socket) => this.#refuse(socket),
    };
    this.admission = new Admission(safetyLimits, plainTimers, outcome, observeOnly);
    this.#refusals = new Refusals(plainTimers, safetyLimits.lingerTimeout, this.admission.maxRefused);
    this.#connections = interceptEmit(server, "connection", (args) => this.#accept(args[0] as Socket));
    try {
      this.#adoptAll();
    } catch (error) {
      this.letGo();
      throw error;
    }
  }

  /** Gives the server its own events back. */
  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    this.#connections.restore();
    this.protocol.detach?.();
  }

  /** Gives the sockets back, too: from now on they are the program's alone. */
  letGo(): void {
    this.detach();
    const waiters = this.admission.letGo();
    for (const connection of this.manager.connections) {
      stopHearing(...connection.ports);
      connection.letGo();
    }
    for (const socket of waiters) {
      stopHearing(socket);
      this.#pass(socket);
    }
    // A wake-up that is armed would keep all of it until it goes off.
    void this.manager[Symbol.asyncDispose]();
  }

  takeBack(): void {
    this.admission.takeBack();
  }

  /** Its permit goes back, as soon as nothing of it is under way any more. */
  connectionClosed(connection: Connection): void {
    // Most servers know of no work but what their own listeners do.
    const work = this.#work.size === 0 ? undefined : this.#work.get(connection);
    // From now on only its own end keeps it: work that never settles would keep the connection for good.
    if (work !== undefined) this.#work.delete(connection);
    // Somebody who waits is admitted once this end is through.
    if (work === undefined && !connection.hasCustodian && this.admission.waiting === 0) connection.givePermitBack();
    else void this.#release(connection, work);
  }

  #accept(socket: Socket): void {
    this.admission.request(socket);
    // One that waits or is refused may fail, too.
    hearErrors(socket);
  }

  /** One that has a permit. @param spared the limit that would have kept it from it */
  #connect(socket: Socket, spared: AdmissionLimit | null): void {
    if (socket.destroyed || this.#custodian.isShutDown) {
      socket.destroy();
      this.takeBack();
      return;
    }
    const connection = this.manager.accept(socket, this.#custodian);
    if (spared !== null) connection.mayCut("refused", spared);
    const work = this.protocol.speak(connection, socket, this.#pass);
    if (work !== undefined) this.#note(work, connection);
    connection.host = this;
    if (connection.phase === "closed") this.connectionClosed(connection);
  }

  /** Says so to the client, which has no longer to go than one whose connection ends. */
  #refuse(socket: Socket): void {
    this.protocol.refuse(socket);
    this.#refusals.add(socket);
  }

  #adoptAll(): void {
    const { protocol, server } = this;
    if (protocol.adoption === undefined) return;
    protocol.findMore?.((socket) => this.#adopt(socket, protocol.adoption?.()));
    const adopt = protocol.adoption();
    for (const socket of openSockets(server)) this.#adopt(socket, adopt);
  }

  /** Takes over a socket that the server's own listeners have had since before we came. */
  #adopt(socket: Socket, adopt: Adopt | undefined): void {
    const raw = rawSocketOf(socket) ?? socket;
    const known = connectionOfPort(raw);
    if (raw.destroyed || this.#custodian.isShutDown || known?.closeReason != null) return;
    // It was taken for something else as long as only the socket below it was known.
    known?.letGo();
    const connection = this.manager.accept(raw, this.#custodian);
    if (adopt?.(connection, socket) !== true) {
      connection.letGo();
      return;
    }
    this.admission.adopt();
    connection.host = this;
  }

  #note(work: Promise<void>, connection: Connection): void {
    const settled = work.finally(() => this.#work.delete(connection));
    this.#work.set(connection, settled);
  }

  async #release(connection: Connection, work: Promise<void> | undefined): Promise<void> {
    const closers = connection.hasCustodian ? connection.custodian.shutdownAll() : undefined;
    const timer = this.manager.plainTimers.start(this.#custodian.environment.finalizerTimeout, () => {
      connection.givePermitBack();
      if (abandonedChannel.hasSubscribers) abandonedChannel.publish({ connection });
    });
    await Promise.all([closers, work]);
    timer.cancel();
    connection.givePermitBack();
  }
}

/** How a custodian ends the connections of a server. Those that have a custodian of their own are told by that, too. */
const connectionsKind: ResourceKind<ConnectionRegistry> = {
  name: "connections",
  shutDown(connections) {
    const newestFirst = [...connections].toReversed();
    for (const connection of newestFirst) connection.end("owner-shutdown");
    return connections.size === 0 ? undefined : Promise.all(newestFirst.map(({ closed }) => closed));
  },
};
