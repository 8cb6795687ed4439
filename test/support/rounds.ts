/**
 * Waiting by rounds of I/O, never by a number of milliseconds.
 */
import type { ManualClock } from "../../src/testing/index.ts";

const round = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A few rounds of I/O. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await round();
}

/** Waits until something is so, a round of I/O at a time. The test's own time limit ends a wait in vain. */
export async function until(what: () => boolean): Promise<void> {
  while (!what()) await round();
}

/** Lets everything that is on its way arrive, and time pass meanwhile. */
export async function pass(clock: ManualClock, ms: number): Promise<void> {
  await settle();
  clock.advance(ms);
  await settle();
}
