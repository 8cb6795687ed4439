/**
 * The limits that end a client which takes nothing of an answer, whatever is spoken with it.
 */
import type { SafetyLimitsOptions } from "../../../src/index.ts";

interface DeafClient {
  /** The limit, too. */
  readonly name: string;
  readonly limits: SafetyLimitsOptions;
  /** Milliseconds until the end. */
  readonly after: number;
  readonly ending: string;
}

/** None of them. */
export const off = { minSendRate: 0, maxBufferedBytes: Infinity, responseSendTimeout: Infinity };

export const deafClients: readonly DeafClient[] = [
  {
    name: "responseSendTimeout",
    limits: { ...off, responseSendTimeout: "4s" },
    after: 4000,
    ending: "send-timeout by responseSendTimeout",
  },
  {
    name: "minSendRate",
    // What its kernel has taken, of megabytes at most, lasts for less than the grace.
    limits: { ...off, minSendRate: { bytesPerSecond: "10 MB", grace: "3s" } },
    after: 3000,
    ending: "send-rate by minSendRate",
  },
  {
    name: "maxBufferedBytes",
    limits: { ...off, maxBufferedBytes: "1 MiB" },
    after: 20_000,
    ending: "limit by maxBufferedBytes",
  },
];
