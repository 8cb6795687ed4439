/**
 * The workers of a cluster drain before the signal of their primary takes effect: when a primary ends, node:cluster ends its
 * workers in the middle of whatever they do. They stay alive until then, so that no app starts others in their place.
 *
 * Messages whose `cmd` begins with NODE_ are not shown to the app; where Node ever stops delivering them, a primary knows
 * of no worker and waits for none.
 */
import cluster from "node:cluster";
import type { Worker } from "node:cluster";
import { systemClock } from "../core/clock.ts";

type Command = "NODE_PORTREEVE_HELLO" | "NODE_PORTREEVE_DRAIN" | "NODE_PORTREEVE_DRAINED";

/** Workers that drain when they are asked to, and who waits for each. */
const workers: Map<Worker, Set<() => void>> = new Map();
let isDraining = false;

/** Gets to know the workers of this process, if it makes any. */
export function watchWorkers(): void {
  cluster.on("fork", (worker) => {
    listen(worker.process, (command) => {
      if (command === "NODE_PORTREEVE_HELLO") {
        workers.set(worker, new Set());
        if (isDraining) askToDrain(worker);
      }
      if (command === "NODE_PORTREEVE_DRAINED") settle(worker);
    });
    for (const end of ["disconnect", "exit"]) {
      worker.once(end, () => {
        settle(worker);
        workers.delete(worker);
      });
    }
  });
}

export function hasWorkers(): boolean {
  return workers.size > 0;
}

/** Asks all workers to drain. Settles when they have, or after `timeout` milliseconds. */
export async function drainWorkers(timeout: number): Promise<void> {
  isDraining = true;
  const drained = Array.from(workers, ([worker, waiting]) => {
    askToDrain(worker);
    return new Promise<void>((resolve) => waiting.add(resolve));
  });
  let wakeup: unknown;
  const tooLate = new Promise<void>((resolve) => {
    if (timeout !== Infinity) wakeup = systemClock.wakeAfter(timeout, resolve);
  });
  await Promise.race([Promise.all(drained), tooLate]);
  systemClock.cancelWakeup(wakeup);
}

/** In a worker: drains when the primary asks for it. */
export function obeyPrimary(drain: () => Promise<unknown>): void {
  listen(process, (command) => {
    if (command === "NODE_PORTREEVE_DRAIN") void drain().then(() => tell(process, "NODE_PORTREEVE_DRAINED"));
  });
  tell(process, "NODE_PORTREEVE_HELLO");
}

function askToDrain(worker: Worker): void {
  if (worker.isConnected()) tell(worker.process, "NODE_PORTREEVE_DRAIN");
}

function settle(worker: Worker): void {
  for (const resolve of workers.get(worker) ?? []) resolve();
}

interface Channel {
  connected: boolean;
  on(event: string, listener: (message: { cmd?: unknown } | null) => void): unknown;
  send?(message: object, ...rest: unknown[]): boolean;
}

function listen(channel: object, hear: (command: Command) => void): void {
  (channel as Channel).on("internalMessage", (message) => hear(message?.cmd as Command));
}

/** Whoever has gone meanwhile need not be told. */
function tell(channel: object, cmd: Command): void {
  const { connected } = channel as Channel;
  if (connected) (channel as Channel).send?.({ cmd }, undefined, undefined, () => {});
}
