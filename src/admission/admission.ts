/**
 * Admission: who is served, who waits, who is refused. Racket's strategy: up to `maxConcurrent` are served, the next
 * wait until one ends, and when too many wait the next are refused.
 *
 * Where limits only observe, nobody waits or is refused but for want of descriptors, which is no limit that anybody set.
 */
import type { Socket } from "node:net";
import { defineChannel } from "../core/channels.ts";
import { warn } from "../core/report.ts";
import { warnOfFirstCut } from "../limits/first-cut.ts";
import type { SafetyLimits } from "../limits/safety-limits.ts";
import type { TimerManager } from "../timers/timer-manager.ts";
import { descriptorLimit, fitCapacity } from "./descriptors.ts";
import type { Capacity, FittedCapacity } from "./descriptors.ts";
import { WaitQueue } from "./wait-queue.ts";

export type RefusalCause = "queue-full" | "wait-timeout" | "draining";

const waitingChannel = defineChannel<{ socket: Socket; waiting: number }>("portreeve.admission.waiting");
const refusedChannel = defineChannel<{ socket: Socket; cause: RefusalCause }>("portreeve.admission.refused");

/** The limits that are broken where too many come at once. */
export type AdmissionLimit = "maxConcurrent" | "maxWaiting";

/** What becomes of a socket that was accepted. */
export interface AdmissionOutcome {
  /** It has a permit from now on, which is to come back once. @param spared the limit that only observes, or null */
  admitted(socket: Socket, spared: AdmissionLimit | null): void;
  refused(socket: Socket): void;
}

export class Admission {
  readonly #capacity: FittedCapacity;
  /** What is only observed, or null where all of it is in force. */
  readonly #observed: Capacity | null;
  readonly #limits: SafetyLimits;
  readonly #outcome: AdmissionOutcome;
  readonly #queue: WaitQueue;
  #served = 0;
  #closed = false;

  constructor(limits: SafetyLimits, timers: TimerManager, outcome: AdmissionOutcome, observeOnly: boolean = false) {
    const descriptors = descriptorLimit();
    const { maxWaiting } = limits;
    this.#observed = observeOnly ? fitCapacity(limits, descriptors) : null;
    this.#capacity = fitCapacity(observeOnly ? { maxConcurrent: Infinity, maxWaiting } : limits, descriptors);
    this.#limits = limits;
    this.#outcome = outcome;
    this.#queue = new WaitQueue(timers, limits.waitTimeout);
    if (limits.maxConcurrent !== Infinity && this.#capacity.maxConcurrent < limits.maxConcurrent) {
      const { maxConcurrent, maxWaiting } = this.#capacity;
      warn(
        new Error(
          `maxConcurrent is ${limits.maxConcurrent}, but the descriptor limit allows ${maxConcurrent} connections and ` +
            `${maxWaiting} waiting ones; raise it (ulimit -n) or lower maxConcurrent`,
        ),
        "PortreeveLimitWarning",
      );
    }
  }

  /** How many hold a permit. */
  get served(): number {
    return this.#served;
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** The most that are served at once: `maxConcurrent`, or less where descriptors are scarce. */
  get effectiveMaxConcurrent(): number {
    return this.#capacity.maxConcurrent;
  }

  /** How many refused clients may take their time to hang up, as far as descriptors allow. */
  get maxRefused(): number {
    return this.#capacity.maxRefused;
  }

  /** Decides about a socket, now or when a permit comes back. */
  request(socket: Socket): void {
    if (this.#closed) this.#refuse(socket, "draining");
    else if (this.#served < this.#capacity.maxConcurrent) this.#admit(socket);
    else if (this.#queue.size >= this.#capacity.maxWaiting) this.#refuse(socket, "queue-full");
    else {
      this.#queue.add(
        socket,
        () => this.#admit(socket),
        () => this.#refuse(socket, "wait-timeout"),
      );
      if (waitingChannel.hasSubscribers) waitingChannel.publish({ socket, waiting: this.#queue.size });
    }
  }

  /** Refuses those who wait and all who come. @returns how many waited */
  close(): number {
    this.#closed = true;
    const waiters = this.#queue.clear();
    for (const socket of waiters) this.#refuse(socket, "draining");
    return waiters.length;
  }

  /** A permit for a connection that is being served already, however many there are. */
  adopt(): void {
    this.#served++;
  }

  /** Decides about nobody any more. @returns those who waited, as they are */
  letGo(): Socket[] {
    this.#closed = true;
    return this.#queue.clear();
  }

  /** A permit comes back. */
  takeBack(): void {
    this.#served--;
    if (this.#served < this.#capacity.maxConcurrent) this.#queue.admitNext();
  }

  #admit(socket: Socket): void {
    const spared = this.#broken;
    this.adopt();
    this.#outcome.admitted(socket, spared);
  }

  /** The limit that one more breaks, where that is only observed. Who would have waited counts as waiting. */
  get #broken(): AdmissionLimit | null {
    if (this.#observed === null) return null;
    const beyond = this.#served - this.#observed.maxConcurrent;
    if (beyond < 0) return null;
    return beyond < this.#observed.maxWaiting ? "maxConcurrent" : "maxWaiting";
  }

  #refuse(socket: Socket, cause: RefusalCause): void {
    // Where limits only observe, it is descriptors that are missing.
    const byLimit = cause !== "draining" && this.#observed === null;
    if (byLimit) warnOfFirstCut(cause === "wait-timeout" ? "waitTimeout" : "maxWaiting", this.#limits);
    if (refusedChannel.hasSubscribers) refusedChannel.publish({ socket, cause });
    this.#outcome.refused(socket);
  }
}
