/**
 * Servers under a manager: who is connected, and their endings. Several drain as one.
 */
import type { Server } from "node:net";
import { keepProcessFor } from "../core/clock.ts";
import { checkOptions } from "../core/options.ts";
import { duration } from "../core/units.ts";
import type { Duration } from "../core/units.ts";
import type { Connection } from "../connection/connection.ts";
import type { Connections } from "../connection/registry.ts";
import type { Custodian } from "../custodian/custodian.ts";
import { closersSettle, cutAll, drainListeners } from "../server/drain.ts";
import type { DrainReport } from "../server/drain.ts";
import type { Listener } from "../server/listener.ts";
import { stopListening } from "../server/listening.ts";
import { ConnectionGroup } from "./connection-group.ts";

export interface ManagedDrainOptions {
  /** How long work in flight may take. 0: cut at once; Infinity: as long as it takes. @default the limit shutdownGracePeriod, or 25 s */
  grace?: Duration;
  /** How long everything is still served after readiness says no, so that load balancers notice. @default 0 */
  delay?: Duration;
}

/** What `manage` grants work in flight where the limits leave it open: inside the 30 s of Kubernetes. */
export const defaultGrace = 25_000;

const managedKey = Symbol.for("portreeve.managed.v1");

/** What manages a server, whichever copy of this package it comes from. */
export function managedOf(server: object): Managed | undefined {
  return (server as { [managedKey]?: Managed })[managedKey];
}

/** Who put servers under a manager with no code of the app's, and what they are told of its end. */
export interface AutomaticManagement {
  /** The servers have closed. */
  ended(): void;
  /** The servers were given back, to the app or to its own `manage`. */
  detached(): void;
}

/** Made by `manage`. The caller owns it; disposing of it closes its servers. */
export class Managed {
  /** The connections that live, of all its servers. */
  readonly connections: Connections;
  readonly #listeners: readonly Listener[];
  readonly #custodian: Custodian;
  readonly #onDrain: ((connection: Connection) => unknown) | undefined;
  readonly #defaultGrace: number;
  readonly #automatic: AutomaticManagement | undefined;
  #ready = true;
  #detached = false;
  /** Whether the servers were told to listen no more. */
  #stopped = false;
  #drained: Promise<DrainReport> | null = null;
  #closed: Promise<void> | null = null;
  /** Ends the delay of a drain before its time. */
  #endDelay: (() => void) | null = null;

  /** @internal */
  constructor(
    listeners: readonly Listener[],
    custodian: Custodian,
    onDrain: ((connection: Connection) => unknown) | undefined,
    automatic?: AutomaticManagement,
  ) {
    this.#automatic = automatic;
    this.#listeners = listeners;
    this.#custodian = custodian;
    this.#onDrain = onDrain;
    this.#defaultGrace = listeners[0]?.manager.safetyLimits.shutdownGracePeriod ?? defaultGrace;
    this.connections = new ConnectionGroup(listeners.map(({ manager }) => manager.connections));
    for (const { server } of listeners) (server as { [managedKey]?: Managed })[managedKey] = this;
  }

  /** The servers, as they were given. */
  get servers(): readonly Server[] {
    return this.#listeners.map(({ server }) => server);
  }

  /** Whether new clients are welcome: no drain and no close has begun. What a readiness probe asks. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Whether no code of the app's asked for it: its own `manage` takes the servers over. @internal */
  get isAutomatic(): boolean {
    return this.#automatic !== undefined;
  }

  /** Accepted sockets that wait for a permit. */
  get waiting(): number {
    return this.#listeners.reduce((count, { admission }) => count + admission.waiting, 0);
  }

  /**
   * Readiness says no; after `delay` the servers stop accepting, clients are told, idle connections end, and work in
   * flight finishes within `grace`; the rest is cut. Always resolves, at most 250 ms after delay and grace, and keeps the
   * process until then. A second call gives the same promise, whatever its options.
   */
  drain(options?: ManagedDrainOptions): Promise<DrainReport> {
    const given = checkOptions(options, "options", ["grace", "delay"]);
    const grace = given.grace === undefined ? this.#defaultGrace : duration(given.grace, "options.grace");
    const delay = given.delay === undefined ? 0 : duration(given.delay, "options.delay", { finite: true });
    this.#drained ??= keepProcessFor(this.#drain(grace, delay), this.#custodian.environment.timers.clock);
    return this.#drained;
  }

  /**
   * Stops accepting and closes every connection now. Settles when they have closed, and all that was under their custodians,
   * at the latest when their finalizer timeout has passed; keeps the process until then.
   */
  close(): Promise<void> {
    this.#closed ??= keepProcessFor(this.#close(), this.#custodian.environment.timers.clock);
    return this.#closed;
  }

  /**
   * Gives the servers and their sockets back as they were: listeners, properties and timeouts. Connections that live are
   * the program's alone from now on; what it has put under their custodians still ends with them. Afterwards `drain` and
   * `close` do nothing.
   */
  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    this.#endDelay?.();
    for (const listener of this.#listeners) {
      listener.letGo();
      this.#forget(listener.server);
    }
    // Nothing is left below it but connections whose end has begun, and goes on.
    this.#custodian.parent?.release(this.#custodian);
    this.#automatic?.ended();
    this.#automatic?.detached();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(grace: number, delay: number): Promise<DrainReport> {
    this.#ready = false;
    if (delay > 0 && !this.#detached && this.#closed === null) await this.#passes(delay);
    this.#stopListening();
    const report = await drainListeners(this.#listeners, { grace, told: this.#onDrain });
    await closersSettle(this.#end(), report, grace, this.#custodian.environment.timers.clock);
    return report;
  }

  async #close(): Promise<void> {
    this.#ready = false;
    this.#stopListening();
    for (const { admission } of this.#listeners) admission.close();
    this.#endDelay?.();
    cutAll(this.connections, "server-closed");
    await Promise.all(Array.from(this.connections, ({ closed }) => closed));
    await this.#end();
  }

  #stopListening(): void {
    if (this.#detached || this.#stopped) return;
    this.#stopped = true;
    for (const { server } of this.#listeners) stopListening(server);
  }

  /** The delay of a drain, or the close that comes first. */
  #passes(delay: number): Promise<void> {
    const { plainTimers } = this.#listeners[0]?.manager ?? {};
    return new Promise((resolve) => {
      const timer = plainTimers?.start(delay, () => resolve());
      this.#endDelay = () => {
        timer?.cancel();
        resolve();
      };
    });
  }

  /**
   * Nobody is connected any more. A server that the program makes listen again is the program's alone.
   * @returns settles when the closers of all that was under its custodians have
   */
  #end(): Promise<unknown> {
    for (const listener of this.#listeners) {
      listener.detach();
      void listener.manager[Symbol.asyncDispose]();
      this.#forget(listener.server);
    }
    this.#automatic?.ended();
    return this.#custodian.shutdownAll("closed");
  }

  #forget(server: object): void {
    const marked = server as { [managedKey]?: Managed };
    if (marked[managedKey] === this) delete marked[managedKey];
  }
}
