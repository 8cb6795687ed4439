/**
 * The servers of a process that are managed with no code: one group, which drains as one.
 */
import cluster from "node:cluster";
import { errorMonitor } from "node:events";
import type { EventEmitter } from "node:events";
import type { ListenOptions, Server } from "node:net";
import { isClusterInternal } from "../core/node-internals.ts";
import { warn } from "../core/report.ts";
import { isIntercepted } from "../protocols/intercept.ts";
import type { DrainReport } from "../server/drain.ts";
import { kindOf, limitsOn } from "../server/server-kinds.ts";
import { attach } from "./manage.ts";
import { managedOf } from "./managed.ts";
import type { Managed } from "./managed.ts";
import { joinClose } from "./own-close.ts";
import type { Settings } from "./settings.ts";

const warning = "PortreeveRegisterWarning";

interface Member {
  readonly managed: Managed;
  /** Gives the server back what was put on it beside the manager. */
  readonly leave: () => void;
}

export class ServerGroup {
  readonly #settings: Settings;
  /** Of every server that ever was a member and has not been given to the app. */
  readonly #members: WeakMap<Server, Member> = new WeakMap();
  /** Those that listen, or are being drained. */
  readonly #live: Set<Managed> = new Set();
  /** Those that are about to listen: their hosts may have to be looked up. */
  readonly #beginning: WeakSet<Server> = new WeakSet();
  /** Limits that were set, and that no server so far enforces. */
  readonly #idleLimits: Set<string>;
  #drained: Promise<DrainReport> | null = null;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#idleLimits = new Set(settings.given);
  }

  get isEmpty(): boolean {
    return this.#live.size === 0;
  }

  /** A server begins to listen. What cannot be managed stays as it is, with a warning: the app must come up. */
  begins(server: Server, { port }: ListenOptions): void {
    try {
      this.#beginning.add(server);
      this.#beginsAnew(server);
      if (managedOf(server) !== undefined || isIntercepted(server, "connection") || isOfPrimary(server)) return;
      if (kindOf(server) === undefined || this.#settings.exclude.has(Number(port))) return;
      this.#attach(server);
    } catch (error) {
      warn(error, warning);
    }
  }

  listens(server: Server): void {
    this.#beginning.delete(server);
    const member = this.#members.get(server);
    if (member === undefined || managedOf(server) !== member.managed) return;
    this.#live.add(member.managed);
    this.#checkLimits(server);
    // A process that is ending serves nobody new.
    if (this.#drained !== null) void this.#drainOne(member.managed);
  }

  /** A server could not listen. */
  fails(server: Server): void {
    this.#beginning.delete(server);
    this.#ends(server);
  }

  /** It has closed, in a way that may be none of ours. That is told late: it may be about to listen again. */
  #closes(server: Server): void {
    if (!this.#beginning.has(server)) this.#ends(server);
  }

  #ends(server: Server): void {
    const member = this.#members.get(server);
    // A drain that has begun ends it by itself.
    if (member !== undefined && member.managed.ready && !server.listening) member.managed.detach();
  }

  /** Drains all servers. Those that listen later are drained at once. Always the same promise. */
  drain(): Promise<DrainReport> {
    const { grace, drainDelay } = this.#settings;
    this.#drained ??= Promise.all(
      Array.from(this.#live, (managed) => managed.drain({ grace, delay: drainDelay })),
    ).then(together);
    return this.#drained;
  }

  /** Ends every connection now. */
  close(): void {
    for (const managed of this.#live) void managed.close();
  }

  #attach(server: Server): void {
    const { safetyLimits, observeOnly } = this.#settings;
    this.#members.get(server)?.leave();
    const managed: Managed = attach([server], safetyLimits, {
      observeOnly,
      automatic: { ended: () => this.#live.delete(managed), detached: () => this.#forget(server) },
    });
    const leaveClose = joinClose(server, () => void this.#drainOne(managed));
    const emitter: EventEmitter = server;
    const failed = (): void => this.fails(server);
    const closed = (): void => this.#closes(server);
    // A server that cannot look its host up tells no channel, but this event, which takes the place of no listener.
    emitter.on(errorMonitor, failed).on("close", closed);
    const leave = (): void => {
      leaveClose();
      emitter.off(errorMonitor, failed).off("close", closed);
    };
    this.#members.set(server, { managed, leave });
  }

  /**
   * A server that was closed may listen again, while its connections are still being drained: they are taken over with it,
   * as those of a server that was not managed before. In a process that is ending they stay as they are.
   */
  #beginsAnew(server: Server): void {
    const managed = managedOf(server);
    const isOurs = managed !== undefined && managed === this.#members.get(server)?.managed;
    if (isOurs && !managed.ready && this.#drained === null) managed.detach();
  }

  #drainOne(managed: Managed): Promise<DrainReport> {
    return managed.drain({ grace: this.#settings.grace });
  }

  /** The server is the app's alone again. */
  #forget(server: Server): void {
    this.#members.get(server)?.leave();
    this.#members.delete(server);
  }

  #checkLimits(server: Server): void {
    const kind = kindOf(server);
    if (kind === undefined || this.#idleLimits.size === 0) return;
    for (const name of limitsOn(kind)) this.#idleLimits.delete(name);
    if (this.#idleLimits.size === 0) return;
    const names = [...this.#idleLimits].join(", ");
    this.#idleLimits.clear();
    process.emitWarning(`a server of kind ${kind} does not enforce ${names}`, { type: warning });
  }
}

/** The server by which the primary of a cluster accepts for its workers: their own servers are managed. */
function isOfPrimary(server: Server): boolean {
  return cluster.isPrimary && Object.keys(cluster.workers ?? {}).length > 0 && isClusterInternal(server);
}

/** Several drains that ran side by side, as one. */
function together(reports: readonly DrainReport[]): DrainReport {
  const sum = (count: (report: DrainReport) => number): number => reports.reduce((all, one) => all + count(one), 0);
  return {
    duration: Math.max(0, ...reports.map(({ duration }) => duration)),
    idle: sum(({ idle }) => idle),
    finished: sum(({ finished }) => finished),
    cut: reports.flatMap(({ cut }) => cut),
    refused: sum(({ refused }) => refused),
  };
}
