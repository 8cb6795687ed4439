/**
 * SIGTERM and SIGINT of a process whose servers are managed with no code.
 *
 *  1. The first is held until the servers have drained; then it goes to the app's own handlers, or ends the process with
 *     its status where the app has none.
 *  2. A second passes at once, in place of the first, and every connection is closed.
 *  3. Later ones are the app's alone.
 */
import { constants } from "node:os";
import { keepProcessFor, systemClock } from "../core/clock.ts";
import { interceptEmit } from "../protocols/intercept.ts";
import type { Interception } from "../protocols/intercept.ts";
import { signalEcho } from "./settings.ts";

export type StopSignal = "SIGTERM" | "SIGINT";
/** Signals that somebody may hand on to us beside their own way. */
export type ForwardedSignal = StopSignal | "SIGHUP";

export interface SignalHolder {
  /** Ends the servers politely; null where there is nothing to wait for. Never rejects. */
  hold(signal: StopSignal): Promise<unknown> | null;
  /** Ends what is left, now: a second signal has come. */
  cut(signal: StopSignal): void;
}

const stopSignals: readonly StopSignal[] = ["SIGTERM", "SIGINT"];

export class SignalGate {
  readonly #holder: SignalHolder;
  readonly #taken: Map<ForwardedSignal, Interception> = new Map();
  /** How often each signal came, by its own way and handed on: both ways tell of the same signals. */
  readonly #direct: Map<ForwardedSignal, number> = new Map();
  readonly #forwarded: Map<ForwardedSignal, number> = new Map();
  #state: "open" | "holding" | "passed" = "open";
  /** When the first one was held, by the clock. */
  #heldSince = 0;

  constructor(holder: SignalHolder) {
    this.#holder = holder;
    for (const name of stopSignals) {
      this.#take(name);
      // Without a listener the signal would end the process by itself.
      process.on(name, ours);
    }
  }

  /** Counts what is handed on, too: a terminal and a supervisor signal us and our parent, and it hands its own on. */
  expectForwarded(): void {
    this.#take("SIGHUP");
  }

  /** Somebody hands a signal on that came to them. */
  forward(name: ForwardedSignal): void {
    if (isNews(name, this.#forwarded, this.#direct)) this.#arrived(name, [name, constants.signals[name]]);
  }

  /** Who handed signals on has gone, and nobody else would tell us to end. One that is ending already goes on. */
  orphaned(): void {
    if (this.#state === "open") this.#arrived("SIGTERM", ["SIGTERM", constants.signals.SIGTERM]);
  }

  #take(name: ForwardedSignal): void {
    const come = (args: readonly unknown[]): void => {
      if (isNews(name, this.#direct, this.#forwarded)) this.#arrived(name, args);
    };
    this.#taken.set(name, interceptEmit(process, name, come));
    listenAgain(name);
  }

  #arrived(name: ForwardedSignal, args: readonly unknown[]): void {
    if (name === "SIGHUP" || this.#state === "passed") {
      this.#deliver(name, args);
      return;
    }
    if (this.#state === "holding") {
      if (systemClock.now() - this.#heldSince < signalEcho) return;
      this.#state = "passed";
      this.#holder.cut(name);
      this.#deliver(name, args);
      return;
    }
    const held = this.#holder.hold(name);
    if (held === null) {
      this.#pass(name, args);
      return;
    }
    this.#state = "holding";
    this.#heldSince = systemClock.now();
    void this.#passAfter(held, name, args);
  }

  async #passAfter(held: Promise<unknown>, name: StopSignal, args: readonly unknown[]): Promise<void> {
    await held;
    // What the signal says once more would meet handlers that have begun to end the process.
    const rest = this.#heldSince + signalEcho - systemClock.now();
    if (rest > 0)
      await keepProcessFor(new Promise<void>((resolve) => systemClock.wakeAfter(rest, resolve)), systemClock);
    // A second signal has taken the place of this one.
    if (this.#state === "holding") this.#pass(name, args);
  }

  #pass(name: StopSignal, args: readonly unknown[]): void {
    this.#state = "passed";
    this.#deliver(name, args);
  }

  /** To the app's handlers of this moment, or to the process. */
  #deliver(name: ForwardedSignal, args: readonly unknown[]): void {
    // Libraries count listeners to know whether they are the last: ours has done its work.
    for (const stop of stopSignals) process.off(stop, ours);
    if (process.listenerCount(name) > 0) this.#taken.get(name)?.pass(args);
    else endBySignal(name);
  }
}

/** Node takes the `emit` of the process when somebody first listens to a signal, as a preload may have done before us. */
function listenAgain(name: NodeJS.Signals): void {
  const listeners = process.rawListeners(name) as NodeJS.SignalsListener[];
  process.removeAllListeners(name);
  for (const listener of listeners) process.on(name, listener);
}

/** Whether this is one more than was heard of the other way. */
function isNews(
  name: ForwardedSignal,
  way: Map<ForwardedSignal, number>,
  other: Map<ForwardedSignal, number>,
): boolean {
  const count = (way.get(name) ?? 0) + 1;
  way.set(name, count);
  return count > (other.get(name) ?? 0);
}

/** Ends the process with the status of a signal nobody handles. */
function endBySignal(name: NodeJS.Signals): void {
  // The kernel spares the first process of a container its default action.
  if (process.pid === 1) process.exit(128 + constants.signals[name]);
  process.kill(process.pid, name);
}

function ours(): void {}
