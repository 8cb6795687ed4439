/**
 * The table of the design, copied: what `makeSafetyLimits()` and `makeUnlimitedSafetyLimits()` give, and what each limit
 * accepts. The first seventeen are Racket's.
 */
import type { SafetyLimitName } from "../../src/limits/safety-limits.ts";

export type Contract =
  | "positive count"
  | "count"
  | "finite count"
  | "size"
  | "time"
  | "finite time"
  | "time or null"
  | "rate"
  | "count per time";

interface Row {
  default: unknown;
  unlimited: unknown;
  contract: Contract;
}

const KiB = 1024;
const MiB = 1024 * 1024;
const s = 1000;

function row(byDefault: unknown, unlimited: unknown, contract: Contract): Row {
  return { default: byDefault, unlimited, contract };
}

export const table: Record<SafetyLimitName, Row> = {
  maxConcurrent: row(10_000, Infinity, "positive count"),
  maxWaiting: row(511, 511, "finite count"),
  requestReadTimeout: row(60 * s, Infinity, "time"),
  maxRequestLineLength: row(8 * KiB, Infinity, "size"),
  maxRequestHeaders: row(100, Infinity, "count"),
  maxRequestHeaderLength: row(8 * KiB, Infinity, "size"),
  maxRequestBodyLength: row(1 * MiB, Infinity, "size"),
  maxFormDataFields: row(100, Infinity, "count"),
  maxFormDataFieldLength: row(8 * KiB, Infinity, "size"),
  maxFormDataFiles: row(100, Infinity, "count"),
  maxFormDataFileLength: row(10 * MiB, Infinity, "size"),
  formDataFileMemoryThreshold: row(1 * MiB, Infinity, "size"),
  maxFormDataParts: row(200, Infinity, "count"),
  maxFormDataHeaderLength: row(8 * KiB, Infinity, "size"),
  responseTimeout: row(60 * s, Infinity, "time"),
  responseSendTimeout: row(60 * s, Infinity, "time"),
  shutdownGracePeriod: row(null, null, "time or null"),
  handshakeTimeout: row(10 * s, Infinity, "time"),
  idleTimeout: row(75 * s, Infinity, "time"),
  upgradedIdleTimeout: row(Infinity, Infinity, "time"),
  pingInterval: row(Infinity, Infinity, "time"),
  minReceiveRate: row({ bytesPerSecond: 240, grace: 5 * s }, { bytesPerSecond: 0, grace: 5 * s }, "rate"),
  minSendRate: row({ bytesPerSecond: 240, grace: 5 * s }, { bytesPerSecond: 0, grace: 5 * s }, "rate"),
  waitTimeout: row(10 * s, Infinity, "time"),
  maxConcurrentPerClient: row(Infinity, Infinity, "positive count"),
  maxRequestsPerConnection: row(Infinity, Infinity, "positive count"),
  maxConnectionAge: row(Infinity, Infinity, "time"),
  maxBufferedBytes: row(1 * MiB, Infinity, "size"),
  maxConcurrentStreams: row(100, Infinity, "positive count"),
  maxStreamResets: row({ count: 200, per: 30 * s }, { count: Infinity, per: 30 * s }, "count per time"),
  maxControlFrames: row({ count: 1000, per: 10 * s }, { count: Infinity, per: 10 * s }, "count per time"),
  lingerTimeout: row(1 * s, 1 * s, "finite time"),
};

export const names = Object.keys(table) as SafetyLimitName[];
