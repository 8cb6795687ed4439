/**
 * Safety limits: one frozen, validated value that says how much any client may take. Racket entries:
 * `make-safety-limits`, `make-unlimited-safety-limits`, `safety-limits?`.
 *
 * The table below is the whole truth about each limit's check, default and unlimited value; the interface above it says
 * in words what each governs. New limits may come with safe defaults in a minor release.
 */
import { checkCount, checkOptions } from "../core/options.ts";
import type { Check } from "../core/options.ts";
import { duration, size } from "../core/units.ts";
import type { Duration, Size } from "../core/units.ts";

/** At least so many bytes a second, judged only after `grace` milliseconds. 0 bytes a second turns it off. */
export interface MinimumRate {
  readonly bytesPerSecond: number;
  readonly grace: number;
}

/** At most `count` in any `per` milliseconds. Infinity turns it off. */
export interface CountPer {
  readonly count: number;
  readonly per: number;
}

/**
 * How much a client may take. Times are in milliseconds, sizes in bytes; Infinity turns a limit off. Made by
 * `makeSafetyLimits` or `makeUnlimitedSafetyLimits`; frozen.
 */
export interface SafetyLimits {
  /** Connections served at once. At the limit the next ones wait. @default 10000 */
  readonly maxConcurrent: number;
  /** The kernel's accept backlog, and how many accepted connections may wait for a permit; the next are refused. @default 511 */
  readonly maxWaiting: number;
  /** From the wait for a request until it is read. HTTP: 408 once a byte has come; silent close before. @default 60 s */
  readonly requestReadTimeout: number;
  /** Bytes of an HTTP request line: 414. @default 8 KiB */
  readonly maxRequestLineLength: number;
  /** Headers of an HTTP request: 431. @default 100 */
  readonly maxRequestHeaders: number;
  /** Bytes of one HTTP header: 431. @default 8 KiB */
  readonly maxRequestHeaderLength: number;
  /** Bytes of an HTTP request body that is neither multipart nor gRPC: 413. @default 1 MiB */
  readonly maxRequestBodyLength: number;
  /** Fields of a form: 413. @default 100 */
  readonly maxFormDataFields: number;
  /** Bytes of one form field: 413. @default 8 KiB */
  readonly maxFormDataFieldLength: number;
  /** Files of a form: 413. @default 100 */
  readonly maxFormDataFiles: number;
  /** Bytes of one file of a form: 413. @default 10 MiB */
  readonly maxFormDataFileLength: number;
  /** A longer file of a form goes to a temporary file that the request owns. @default 1 MiB */
  readonly formDataFileMemoryThreshold: number;
  /** Parts of a form: 413. @default fields + files */
  readonly maxFormDataParts: number;
  /** Bytes of the header of one part of a form: 413. @default 8 KiB */
  readonly maxFormDataHeaderLength: number;
  /** From a request read until its handler has answered. HTTP: 503 if nothing was sent. @default 60 s */
  readonly responseTimeout: number;
  /** How long a client may take no byte of what is written to it; restarted by progress. Then it is reset. @default 60 s */
  readonly responseSendTimeout: number;
  /** How long a drain waits for what is in flight. Null: `serve().stop()` cuts at once, HTTP servers wait 25 s. @default null */
  readonly shutdownGracePeriod: number | null;
  /** TLS handshake, HTTP/2 preface, PROXY header, `portsToRealPorts`. @default 10 s */
  readonly handshakeTimeout: number;
  /** Between requests: silent close. Above the 60 s of common load balancers. @default 75 s */
  readonly idleTimeout: number;
  /** An upgraded connection (WebSocket, CONNECT) with no traffic. @default Infinity */
  readonly upgradedIdleTimeout: number;
  /** How often an upgraded peer is asked whether it lives. @default Infinity: never */
  readonly pingInterval: number;
  /** Slowest pace of a client that we wait for. A number is bytes a second, after 5 s. @default 240 B/s after 5 s */
  readonly minReceiveRate: MinimumRate;
  /** Slowest pace of a client that takes what is written to it. @default 240 B/s after 5 s */
  readonly minSendRate: MinimumRate;
  /** How long an accepted connection may wait for a permit; then it is refused. @default 10 s */
  readonly waitTimeout: number;
  /** Connections of one client at once. @default Infinity */
  readonly maxConcurrentPerClient: number;
  /** Requests on one connection; then it is closed after the response. @default Infinity */
  readonly maxRequestsPerConnection: number;
  /** Age of a connection; then it is closed after the response. Jittered by a tenth. @default Infinity */
  readonly maxConnectionAge: number;
  /** Bytes that may wait in memory to be sent to one client; backpressure, then reset. @default 1 MiB */
  readonly maxBufferedBytes: number;
  /** HTTP/2 streams at once on a connection. @default 100 */
  readonly maxConcurrentStreams: number;
  /** HTTP/2 streams reset by the client. A number is a count in 30 s. @default 200 in 30 s */
  readonly maxStreamResets: CountPer;
  /** HTTP/2 frames that carry no request. A number is a count in 10 s. @default 1000 in 10 s */
  readonly maxControlFrames: CountPer;
  /** How long a close waits for the client to take the last bytes. @default 1 s */
  readonly lingerTimeout: number;
}

export type SafetyLimitName = keyof SafetyLimits;

/** What a caller may give: any of the limits, times and sizes also as text such as "30s" and "1 MiB". */
export type SafetyLimitsOptions = {
  readonly [Name in SafetyLimitName]?:
    | SafetyLimits[Name]
    | (SafetyLimits[Name] extends MinimumRate
        ? Size | { bytesPerSecond: Size; grace?: Duration }
        : SafetyLimits[Name] extends CountPer
          ? number | { count: number; per?: Duration }
          : number | string);
};

interface Definition<T> {
  check: Check<T>;
  default: T;
  unlimited: T;
}

type Definitions = { readonly [Name in SafetyLimitName]: Definition<SafetyLimits[Name]> };

const kibi = 2 ** 10;
const mebi = 2 ** 20;
const second = 1000;

const count: Check<number> = (value, path) => checkCount(value, path, 0, true);
const time: Check<number> = (value, path) => duration(value, path);
const bytes: Check<number> = (value, path) => size(value, path);

function limit<T>(check: Check<T>, byDefault: T, unlimited: T): Definition<T> {
  return { check, default: byDefault, unlimited };
}

function rateAfter(grace: number): Check<MinimumRate> {
  return (value, path) => {
    if (typeof value !== "object" || value === null) {
      return Object.freeze({ bytesPerSecond: size(value, path, { finite: true }), grace });
    }
    const given = checkOptions(value, path, ["bytesPerSecond", "grace"]);
    return Object.freeze({
      bytesPerSecond: size(given.bytesPerSecond, `${path}.bytesPerSecond`, { finite: true }),
      grace: given.grace === undefined ? grace : duration(given.grace, `${path}.grace`, { finite: true }),
    });
  };
}

function countPer(per: number): Check<CountPer> {
  return (value, path) => {
    if (typeof value !== "object" || value === null)
      return Object.freeze({ count: checkCount(value, path, 0, true), per });
    const given = checkOptions(value, path, ["count", "per"]);
    return Object.freeze({
      count: checkCount(given.count, `${path}.count`, 0, true),
      per: given.per === undefined ? per : duration(given.per, `${path}.per`, { finite: true }),
    });
  };
}

const receiveRate = rateAfter(5 * second);
const resets = countPer(30 * second);
const frames = countPer(10 * second);

/** The seventeen of Racket first, with Racket's defaults and contracts, then ours. */
const definitions: Definitions = {
  maxConcurrent: limit((value, path) => checkCount(value, path, 1, true), 10_000, Infinity),
  maxWaiting: limit((value, path) => checkCount(value, path, 0, false), 511, 511),
  requestReadTimeout: limit(time, 60 * second, Infinity),
  maxRequestLineLength: limit(bytes, 8 * kibi, Infinity),
  maxRequestHeaders: limit(count, 100, Infinity),
  maxRequestHeaderLength: limit(bytes, 8 * kibi, Infinity),
  maxRequestBodyLength: limit(bytes, mebi, Infinity),
  maxFormDataFields: limit(count, 100, Infinity),
  maxFormDataFieldLength: limit(bytes, 8 * kibi, Infinity),
  maxFormDataFiles: limit(count, 100, Infinity),
  maxFormDataFileLength: limit(bytes, 10 * mebi, Infinity),
  formDataFileMemoryThreshold: limit(bytes, mebi, Infinity),
  maxFormDataParts: limit(count, 200, Infinity),
  maxFormDataHeaderLength: limit(bytes, 8 * kibi, Infinity),
  responseTimeout: limit(time, 60 * second, Infinity),
  responseSendTimeout: limit(time, 60 * second, Infinity),
  shutdownGracePeriod: limit<number | null>(
    (value, path) => (value === null ? null : duration(value, path)),
    null,
    null,
  ),

  handshakeTimeout: limit(time, 10 * second, Infinity),
  idleTimeout: limit(time, 75 * second, Infinity),
  upgradedIdleTimeout: limit(time, Infinity, Infinity),
  pingInterval: limit(time, Infinity, Infinity),
  minReceiveRate: limit(receiveRate, receiveRate(240, ""), receiveRate(0, "")),
  minSendRate: limit(receiveRate, receiveRate(240, ""), receiveRate(0, "")),
  waitTimeout: limit(time, 10 * second, Infinity),
  maxConcurrentPerClient: limit((value, path) => checkCount(value, path, 1, true), Infinity, Infinity),
  maxRequestsPerConnection: limit((value, path) => checkCount(value, path, 1, true), Infinity, Infinity),
  maxConnectionAge: limit(time, Infinity, Infinity),
  maxBufferedBytes: limit(bytes, mebi, Infinity),
  maxConcurrentStreams: limit((value, path) => checkCount(value, path, 1, true), 100, Infinity),
  maxStreamResets: limit(resets, resets(200, ""), resets(Infinity, "")),
  maxControlFrames: limit(frames, frames(1000, ""), frames(Infinity, "")),
  lingerTimeout: limit((value, path) => duration(value, path, { finite: true }), second, second),
};

/** Every limit's name, Racket's seventeen first. */
export const safetyLimitNames: readonly SafetyLimitName[] = Object.freeze(
  Object.keys(definitions) as SafetyLimitName[],
);

/** Marks safety limits for every copy of this package in the process. */
const brand = Symbol.for("portreeve.safety-limits.v1");

/**
 * Safety limits with safe defaults. Racket entry: `make-safety-limits`.
 * @throws ArgumentTypeError or ArgumentRangeError, which name the limit, what was expected and what came.
 */
export function makeSafetyLimits(options?: SafetyLimitsOptions): SafetyLimits {
  return build(options, "default");
}

/** Safety limits that limit almost nothing. Racket entry: `make-unlimited-safety-limits`. */
export function makeUnlimitedSafetyLimits(options?: SafetyLimitsOptions): SafetyLimits {
  return build(options, "unlimited");
}

/** Racket entry: `safety-limits?`. */
export function isSafetyLimits(value: unknown): value is SafetyLimits {
  return typeof value === "object" && value !== null && Reflect.get(value, brand) === true;
}

/** Safety limits as they are, or plain options completed with the safe defaults. */
export function toSafetyLimits(value: unknown, path: string): SafetyLimits {
  if (isSafetyLimits(value)) return value;
  return build(value, "default", path);
}

/** What `makeSafetyLimits` gives a limit that is not named, or `makeUnlimitedSafetyLimits`. */
export function limitDefault<Name extends SafetyLimitName>(
  name: Name,
  kind: "default" | "unlimited",
): SafetyLimits[Name] {
  return definitions[name][kind];
}

function build(options: unknown, kind: "default" | "unlimited", path = "safetyLimits"): SafetyLimits {
  const given = checkOptions(options, path, safetyLimitNames);
  // Made in the shape of the definitions: V8 would keep an object that grows name by name as a hash table, and each limit
  // that is read would be looked up in it.
  const limits: Record<string, unknown> = { ...definitions };
  for (const name of safetyLimitNames) {
    const value = given[name];
    const { check, [kind]: fallback } = definitions[name];
    limits[name] = value === undefined ? fallback : check(value, `${path}.${name}`);
  }
  if (given.maxFormDataParts === undefined && kind === "default") {
    limits["maxFormDataParts"] = Number(limits["maxFormDataFields"]) + Number(limits["maxFormDataFiles"]);
  }
  Object.defineProperty(limits, brand, { value: true });
  return Object.freeze(limits) as unknown as SafetyLimits;
}
