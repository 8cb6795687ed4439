/**
 * The descriptor limit of the process. Once it is reached the kernel's connections are accepted and dropped below us
 * without a word, so a listener stays under it.
 */
import { readFileSync } from "node:fs";

/** Descriptors left for everything that is no connection: files, the listener, the event loop, upstreams. */
const reserve = 64;
/** Where so few are allowed that the reserve would take half of them. */
const smallestShare = 0.5;
/** Of the reserve, how many may be held by clients that were refused and have not hung up yet. */
const refusedShare = 0.25;
/** More than that of those are never waited for. */
const mostRefused = 1024;
/** Of the descriptors for clients, how many are for being served; the others are for waiting. */
const servedShare = 0.8;

/** The soft limit on open files; Infinity where it cannot be known. */
export function descriptorLimit(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "latin1");
    return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  } catch {
    return Infinity;
  }
}

export interface Capacity {
  /** Connections served at once. */
  readonly maxConcurrent: number;
  /** Sockets that wait. */
  readonly maxWaiting: number;
}

export interface FittedCapacity extends Capacity {
  /** Refused clients that may take their time to hang up. */
  readonly maxRefused: number;
}

/** What fits under the descriptor limit of what is wanted. */
export function fitCapacity(wanted: Capacity, limit: number): FittedCapacity {
  const available = Math.max(1, Math.floor(Math.max(limit - reserve, limit * smallestShare)));
  const fewestRefused = Math.max(1, Math.floor(Math.min(reserve, limit * smallestShare) * refusedShare));
  const needed = wanted.maxConcurrent + wanted.maxWaiting;
  if (needed <= available) {
    const left = limit === Infinity ? Infinity : available - needed;
    return { ...wanted, maxRefused: Math.min(mostRefused, Math.max(fewestRefused, left)) };
  }
  const maxConcurrent = Math.min(wanted.maxConcurrent, Math.max(1, Math.floor(available * servedShare)));
  const maxWaiting = Math.min(wanted.maxWaiting, available - maxConcurrent);
  return { maxConcurrent, maxWaiting, maxRefused: fewestRefused };
}
