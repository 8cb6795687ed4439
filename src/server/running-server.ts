/**
 * A server that listens: where it listens, who is connected, and its two endings.
 */
import type { AddressInfo, ListenOptions } from "node:net";
import { keepProcessFor } from "../core/clock.ts";
import { checkOptions } from "../core/options.ts";
import { duration } from "../core/units.ts";
import type { Duration } from "../core/units.ts";
import type { ConnectionRegistry } from "../connection/registry.ts";
import type { Custodian } from "../custodian/custodian.ts";
import { closersSettle, cutAll, drainListeners } from "./drain.ts";
import type { DrainReport } from "./drain.ts";
import type { Listener } from "./listener.ts";
import { listen, stopListening } from "./listening.ts";

export interface DrainOptions {
  /** How long work in flight may take. 0: cut at once; Infinity: as long as it takes. @default the limit shutdownGracePeriod */
  grace?: Duration;
}

/** Made by `serve`. The caller owns it; disposing of it closes it. */
export class RunningServer {
  readonly #listener: Listener;
  readonly #custodian: Custodian;
  readonly #defaultGrace: number;
  readonly #address: AddressInfo | string | null;
  #drained: Promise<DrainReport> | null = null;
  #closed: Promise<void> | null = null;
  readonly #closer = (): Promise<void> => this.close();

  /** @internal */
  constructor(listener: Listener, custodian: Custodian, defaultGrace: number) {
    this.#listener = listener;
    this.#custodian = custodian;
    this.#defaultGrace = listener.manager.safetyLimits.shutdownGracePeriod ?? defaultGrace;
    this.#address = listener.server.address();
    custodian.defer(this.#closer);
    // Accepting can fail at any time, where descriptors run out; a server that listens goes on.
    listener.server.on("error", (error) => listener.manager.fail(error, undefined));
  }

  /** The TCP port; 0 for a server that listens on a path. */
  get port(): number {
    return typeof this.#address === "object" && this.#address !== null ? this.#address.port : 0;
  }

  /** As `net.Server.address()` gave it when listening began. */
  get address(): AddressInfo | string | null {
    return this.#address;
  }

  /** The connections that live. */
  get connections(): ConnectionRegistry {
    return this.#listener.manager.connections;
  }

  /** Accepted sockets that wait for a permit. */
  get waiting(): number {
    return this.#listener.admission.waiting;
  }

  /** Permits in use: connections, and closed ones whose work has not settled. */
  get served(): number {
    return this.#listener.admission.served;
  }

  /** The most connections served at once: `maxConcurrent`, or less where descriptors are scarce. */
  get effectiveMaxConcurrent(): number {
    return this.#listener.admission.effectiveMaxConcurrent;
  }

  /** Whether a drain or a close has begun. */
  get isStopping(): boolean {
    return this.#drained !== null || this.#closed !== null;
  }

  /**
   * Stops accepting, lets work in flight finish within the grace period, and cuts the rest. Always resolves, and keeps the
   * process until then; a second call gives the same promise, whatever its options.
   */
  drain(options?: DrainOptions): Promise<DrainReport> {
    const given = checkOptions(options, "options", ["grace"]);
    const grace = given.grace === undefined ? this.#defaultGrace : duration(given.grace, "options.grace");
    this.#drained ??= keepProcessFor(this.#drain(grace), this.#custodian.environment.timers.clock);
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

  /** The first call drains, the second closes. Racket: what `serve` gives back. */
  async stop(options?: DrainOptions): Promise<DrainReport> {
    if (this.#drained === null) return this.drain(options);
    await this.close();
    return this.#drained;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(grace: number): Promise<DrainReport> {
    stopListening(this.#listener.server);
    const report = await drainListeners([this.#listener], { grace });
    await closersSettle(
      this.#custodian.shutdownAll("drained"),
      report,
      grace,
      this.#custodian.environment.timers.clock,
    );
    return report;
  }

  async #close(): Promise<void> {
    const { manager, admission, server } = this.#listener;
    stopListening(server);
    admission.close();
    cutAll(manager.connections, "server-closed");
    await manager[Symbol.asyncDispose]();
    this.#listener.detach();
    if (this.#custodian.isShutDown) return;
    // It would wait for us, and we for it.
    this.#custodian.release(this.#closer);
    await this.#custodian.shutdownAll("server-closed");
  }
}

/**
 * Makes the listener's server listen, and gives back the running server. Where it cannot listen, everything is as before.
 * @param defaultGrace milliseconds, where the limits leave the grace period open
 */
export async function start(
  listener: Listener,
  custodian: Custodian,
  options: ListenOptions,
  defaultGrace: number,
): Promise<RunningServer> {
  try {
    await listen(listener.server, { backlog: listener.manager.safetyLimits.maxWaiting, ...options });
  } catch (error) {
    listener.detach();
    await custodian.shutdownAll("cannot listen");
    throw error;
  }
  return new RunningServer(listener, custodian, defaultGrace);
}
