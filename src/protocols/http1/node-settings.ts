/**
 * One clock a server: what node:http sets by itself on a server is replaced by the limits of its manager where the
 * program left it alone, and kept where the program made it stricter. Where limits only observe nothing takes its place,
 * and all of it stays.
 */
import { nodeHttp } from "../../core/node-modules.ts";
import type { SafetyLimits } from "../../limits/safety-limits.ts";

/** What a server of node:http or node:https has, and one of node:http2 that also speaks HTTP/1.1. */
export interface HttpSettings {
  headersTimeout?: number;
  requestTimeout?: number;
  keepAliveTimeout?: number;
  timeout?: number;
  maxHeadersCount?: number | null;
  maxHeaderSize?: number;
  httpAllowHalfOpen?: boolean;
  keepAliveTimeoutBuffer?: number;
}

/** node:http adds so much to keepAliveTimeout where it has no setting for it. */
const usualBuffer = 1000;
/** The most, in milliseconds, that a timer of Node's holds with that on top; in whole seconds, as clients are told. */
const longestKeepAlive = 2_147_482_000;
/** So often the idle timer of node:http must have been seen before it is relied upon. */
const sightings = 3;

/** The settings in use on one server, and how its connections learn of the end of a response. */
export class ServerSettings {
  readonly #server: HttpSettings;
  /** Whether the limits have taken the place of node:http's timeouts. */
  readonly areOurs: boolean;
  readonly #own: Readonly<Record<string, PropertyDescriptor | undefined>>;
  /** The milliseconds that node:http has asked its idle timers for until now. */
  readonly earlierIdleTimer: number;
  #sightings = 0;

  constructor(server: HttpSettings, limits: SafetyLimits, observeOnly: boolean) {
    this.#server = server;
    this.areOurs = !observeOnly;
    this.earlierIdleTimer = this.idleTimer();
    const ours = observeOnly ? repairs : settingsFor(server, limits);
    this.#own = Object.fromEntries(Object.keys(ours).map((name) => [name, ownProperty(server, name)]));
    Object.assign(server, ours);
  }

  /** Whether the end of a response is learned from its event, because the idle timer has not been seen to tell. */
  get watchesResponses(): boolean {
    return this.#sightings < sightings;
  }

  /** The milliseconds for which node:http promises to keep a connection. */
  get keepAliveTimeout(): number {
    return this.#server.keepAliveTimeout ?? 0;
  }

  /** The milliseconds that node:http asks its idle timer for. */
  idleTimer(): number {
    return this.keepAliveTimeout + (this.#server.keepAliveTimeoutBuffer ?? usualBuffer);
  }

  idleTimerSeen(): void {
    this.#sightings++;
  }

  /** Gives the server back as it was. */
  restore(): void {
    for (const [name, property] of Object.entries(this.#own)) {
      if (property === undefined) Reflect.deleteProperty(this.#server, name);
      else Object.defineProperty(this.#server, name, property);
    }
  }
}

/** The limits of a server, as strict as the program made node:http where that is stricter. */
export function stricterLimits(server: HttpSettings, limits: SafetyLimits): SafetyLimits {
  const { headersTimeout, keepAliveTimeout, maxHeadersCount } = server;
  return Object.freeze({
    ...limits,
    requestReadTimeout: stricter(limits.requestReadTimeout, headersTimeout, defaults.headersTimeout),
    idleTimeout: stricter(limits.idleTimeout, keepAliveTimeout, defaults.keepAliveTimeout),
    maxRequestHeaders: stricter(limits.maxRequestHeaders, maxHeadersCount, defaults.maxHeadersCount),
  });
}

const defaults: HttpSettings = new nodeHttp.Server();

function stricter(limit: number, set: number | null | undefined, byDefault: number | null | undefined): number {
  return typeof set !== "number" || set <= 0 || set === byDefault ? limit : Math.min(limit, set);
}

/** No limit's doing: a client that sends FIN after its request gets its answer. */
const repairs: HttpSettings = { httpAllowHalfOpen: true };

function settingsFor(server: HttpSettings, limits: SafetyLimits): HttpSettings {
  const { requestTimeout, keepAliveTimeout, maxHeaderSize = 0 } = server;
  const { maxRequestLineLength, maxRequestHeaderLength, idleTimeout } = limits;
  // Room for the longest line and two of the longest headers, so that each limit of ours speaks before node:http does.
  const room = maxRequestLineLength + 2 * maxRequestHeaderLength;
  return {
    headersTimeout: 0,
    // The program's own, for bodies; ours is not absolute.
    ...(requestTimeout === defaults.requestTimeout ? { requestTimeout: 0 } : {}),
    // node:http tells clients of it, and us of the end of each response. Its own word for no end is 0, of which it tells nobody:
    // that is left to the program.
    keepAliveTimeout: idleTimeout < Infinity ? idleTimeout : keepAliveTimeout === 0 ? 0 : longestKeepAlive,
    // Counted by us: node:http drops what is over its own count, and serves the rest.
    maxHeadersCount: 0,
    ...(maxHeaderSize === 0 && room !== Infinity ? { maxHeaderSize: Math.max(room, nodeHttp.maxHeaderSize) } : {}),
    ...repairs,
  };
}

function ownProperty(server: object, name: string): PropertyDescriptor | undefined {
  return Object.getOwnPropertyDescriptor(server, name);
}
