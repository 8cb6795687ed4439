/**
 * The workers of a cluster drain before the signal of their primary takes effect: when a primary ends, node:cluster ends its
 * workers in the middle of whatever they do. They stay alive until then, so that no app starts others in their place: a
 * worker that was signalled itself, as with its whole group, asks its primary first whether it may end.
 *
 * Messages whose `cmd` begins with NODE_ are not shown to the app; where Node ever stops delivering them, a primary knows
 * of no worker and waits for none.
 */
import cluster from "node:cluster";
import type { Worker } from "node:cluster";
import { settledWithin, systemClock } from "../core/clock.ts";
import type { Wakeup } from "../core/clock.ts";
import { signalEcho } from "./settings.ts";
import type { StopSignal } from "./signals.ts";

/** Of a worker: I am here, I have drained, may I end? Of its primary: so am I, drain, wait for me, you may. */
type Command =
  | "NODE_PORTREEVE_HELLO"
  | "NODE_PORTREEVE_DRAINED"
  | "NODE_PORTREEVE_LEAVING"
  | "NODE_PORTREEVE_WELCOME"
  | "NODE_PORTREEVE_DRAIN"
  | "NODE_PORTREEVE_STAY"
  | "NODE_PORTREEVE_LEAVE";

interface Message {
  readonly cmd: Command;
  /** For which signal to drain. */
  readonly signal?: StopSignal;
}

/** Drains this process; always the same promise. */
type Drain = (signal: StopSignal) => Promise<unknown>;

/** Workers that drain when they are asked to, and who waits for each. */
const workers: Map<Worker, Set<() => void>> = new Map();
/** Those that ask whether they may end. */
const leaving: Set<Worker> = new Set();
/** For which signal the workers drain, and those that are still made; or null. */
let draining: StopSignal | null = null;
/** Whether we are about to end. */
let isReleased = false;
/** How long a worker waits for a primary that does not answer, in milliseconds. */
const answerTimeout = 1000;

/** Gets to know the workers of this process, if it makes any. */
export function watchWorkers(): void {
  cluster.on("fork", (worker) => {
    const hear = ({ cmd }: Message): void => {
      if (cmd === "NODE_PORTREEVE_HELLO") {
        workers.set(worker, new Set());
        tell(worker.process, { cmd: "NODE_PORTREEVE_WELCOME" });
        if (draining !== null) askToDrain(worker, draining);
      }
      if (cmd === "NODE_PORTREEVE_DRAINED") settle(worker);
      if (cmd === "NODE_PORTREEVE_LEAVING") {
        leaving.add(worker);
        tell(worker.process, { cmd: "NODE_PORTREEVE_STAY" });
        // A signal to the whole group may still be on its way to us.
        systemClock.wakeAfter(signalEcho, () => {
          if (draining === null || isReleased) letLeave(worker);
        });
      }
    };
    listen(worker.process, hear);
    for (const end of ["disconnect", "exit"]) {
      worker.once(end, () => {
        settle(worker);
        workers.delete(worker);
        leaving.delete(worker);
      });
    }
  });
}

export function hasWorkers(): boolean {
  return workers.size > 0;
}

/** Asks all workers to drain. Settles when they have, or after `timeout` milliseconds. */
export async function drainWorkers(signal: StopSignal, timeout: number): Promise<void> {
  draining = signal;
  const drained = Array.from(workers, ([worker, waiting]) => {
    askToDrain(worker, signal);
    return new Promise<void>((resolve) => waiting.add(resolve));
  });
  await settledWithin(Promise.all(drained), timeout);
}

/** We are about to end: workers that were signalled themselves may do so, too. */
export function releaseWorkers(): void {
  isReleased = true;
  for (const worker of leaving) letLeave(worker);
}

/** What a worker has of its primary. */
export interface Primary {
  /** Whether it is there, and decides when its workers end. */
  readonly decides: boolean;
  /** Settles when this worker may end: soon where the primary is not about to end, is gone or does not answer. */
  mayLeave(): Promise<void>;
}

/** In a worker: drains when the primary asks for it. */
export function obeyPrimary(drain: Drain): Primary {
  let isWelcome = false;
  let leave: (() => void) | undefined;
  let noAnswer: Wakeup;
  listen(process, ({ cmd, signal = "SIGTERM" }) => {
    if (cmd === "NODE_PORTREEVE_WELCOME") isWelcome = true;
    if (cmd === "NODE_PORTREEVE_DRAIN") void drain(signal).then(() => tell(process, { cmd: "NODE_PORTREEVE_DRAINED" }));
    if (cmd === "NODE_PORTREEVE_STAY") systemClock.cancelWakeup(noAnswer);
    if (cmd === "NODE_PORTREEVE_LEAVE") leave?.();
  });
  tell(process, { cmd: "NODE_PORTREEVE_HELLO" });
  return {
    get decides() {
      return isWelcome && process.connected;
    },
    async mayLeave() {
      if (!this.decides) return;
      await new Promise<void>((resolve) => {
        leave = resolve;
        process.once("disconnect", resolve);
        noAnswer = systemClock.wakeAfter(answerTimeout, resolve);
        tell(process, { cmd: "NODE_PORTREEVE_LEAVING" });
      });
    },
  };
}

function askToDrain(worker: Worker, signal: StopSignal): void {
  if (worker.isConnected()) tell(worker.process, { cmd: "NODE_PORTREEVE_DRAIN", signal });
}

function letLeave(worker: Worker): void {
  tell(worker.process, { cmd: "NODE_PORTREEVE_LEAVE" });
}

function settle(worker: Worker): void {
  for (const resolve of workers.get(worker) ?? []) resolve();
}

interface Channel {
  connected: boolean;
  on(event: string, listener: (message: Partial<Message> | null) => void): unknown;
  send?(message: object, ...rest: unknown[]): boolean;
}

function listen(channel: object, hear: (message: Message) => void): void {
  (channel as Channel).on("internalMessage", (message) => hear((message ?? {}) as Message));
}

/** Whoever has gone meanwhile need not be told. */
function tell(channel: object, message: Message): void {
  const { connected } = channel as Channel;
  if (connected) (channel as Channel).send?.(message, undefined, undefined, () => {});
}
