/**
 * The descriptor limit of the process. Once it is reached the kernel's connections are accepted and dropped below us
 * without a word, so a listener stays under it.
 */
import { readFileSync } from "node:fs";

/** Descriptors left for everything that is no connection: files, the listener, the event loop, upstreams. */
const reserve = 64;
/** Where so few are allowed that the reserve would take half of them. */
const smallestShare = 0.5;
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

/** What fits under the descriptor limit of what is wanted. */
export function fitCapacity(wanted: Capacity, limit: number): Capacity {
  const available = Math.max(1, Math.floor(Math.max(limit - reserve, limit * smallestShare)));
  if (wanted.maxConcurrent + wanted.maxWaiting <= available) return wanted;
  const maxConcurrent = Math.min(wanted.maxConcurrent, Math.max(1, Math.floor(available * servedShare)));
  return { maxConcurrent, maxWaiting: Math.min(wanted.maxWaiting, available - maxConcurrent) };
}
