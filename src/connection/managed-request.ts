/**
 * A request: one exchange of HTTP/1, or one stream of HTTP/2. It has a custodian and a deadline of its own, both made
 * when first asked for: a program that asks for neither pays for neither.
 */
import { ArgumentTypeError, NotManagedError } from "../core/errors.ts";
import { duration } from "../core/units.ts";
import type { Duration } from "../core/units.ts";
import type { Custodian } from "../custodian/custodian.ts";
import type { Connection } from "./connection.ts";
import { connectionOf } from "./lookup.ts";

/** What a protocol knows of one request. @internal */
export interface RequestHost {
  readonly connection: Connection;
  /** Owns what the request does, where that is not a custodian of its own. */
  readonly custodian?: Custodian;
  /** The earliest deadline in force for the request, where the program has moved none: a time of the clock. */
  plannedDeadline(request: ManagedRequest): number;
  /** The program has moved the deadline. */
  retime(request: ManagedRequest): void;
  /** The program has asked for the custodian: from now on it is told when the client leaves. */
  watch(request: ManagedRequest): void;
}

export class ManagedRequest {
  readonly connection: Connection;
  readonly #host: RequestHost;
  #custodian: Custodian | null = null;
  #moved: number | null = null;
  #ended = false;

  /** @internal */
  constructor(host: RequestHost) {
    this.connection = host.connection;
    this.#host = host;
  }

  /**
   * Owns what is opened for this request. It is shut down when the response closes, when the client leaves (also by FIN
   * in the middle of the handler's work), and when the deadline passes.
   */
  get custodian(): Custodian {
    const given = this.#custodian ?? this.#host.custodian;
    if (given !== undefined) return given;
    const owner = this.connection.custodian;
    // Too late to own anything: what is given to it is closed at once.
    if (owner.isShutDown) return owner;
    this.#custodian = owner.child("request");
    if (this.#ended) void this.#custodian.shutdownAll("completed");
    else this.#host.watch(this);
    return this.#custodian;
  }

  /** Aborts when the request ends, however it ends. */
  get signal(): AbortSignal {
    return this.custodian.signal;
  }

  /** Whether its response has closed. */
  get ended(): boolean {
    return this.#ended;
  }

  /** When it must be over, in milliseconds of the manager's clock; Infinity for never. */
  get deadline(): number {
    return this.#moved ?? this.#host.plannedDeadline(this);
  }

  /**
   * The deadline of this request, and of no other, becomes now + `ms`. From then on it is the only one: progress neither
   * shortens nor lengthens it, and it stays in force until the response has been sent.
   * @returns whether the request was still open
   */
  resetTimeout(ms: Duration): boolean {
    const delay = duration(ms, "ms");
    return this.#move(this.connection.manager.timers.clock.now() + delay);
  }

  /** Moves the deadline by `ms`, which may be negative. See `resetTimeout`. @returns whether the request was still open */
  adjustTimeout(ms: Duration): boolean {
    return this.#move(this.deadline + duration(ms, "ms", { negative: true }));
  }

  /** Where the program moved the deadline to, or null. @internal */
  get movedDeadline(): number | null {
    return this.#moved;
  }

  /** It is over: what it owns is shut down. @internal */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    void this.#custodian?.shutdownAll(reason);
  }

  #move(deadline: number): boolean {
    if (this.#ended || this.connection.closeReason !== null) return false;
    this.#moved = deadline;
    this.#host.retime(this);
    return true;
  }
}

const requestKey = Symbol.for("portreeve.request.v1");

interface Marked {
  [requestKey]?: ManagedRequest;
}

/** The request that was hung on `value`. @internal */
export function markedRequest(value: object): ManagedRequest | undefined {
  return (value as Marked)[requestKey];
}

/** Hangs a request on what the program knows it by. @internal */
export function markRequest(value: object, request: ManagedRequest): void {
  (value as Marked)[requestKey] = request;
}

/**
 * The request of a request or response of node:http or node:http2, or of an HTTP/2 stream, on a server under a manager.
 * @throws NotManagedError for what belongs to no such server, or to a connection that is gone.
 */
export function requestOf(value: object): ManagedRequest {
  const request = findRequest(value);
  if (request === undefined) throw new NotManagedError("request");
  return request;
}

/**
 * The custodian of a request, as for `requestOf`, or of the connection that a socket, a session or a WebSocket has.
 * @throws NotManagedError for what belongs to no connection under a manager.
 */
export function custodianOf(value: object): Custodian {
  const owner = findRequest(value)?.custodian ?? connectionOf(value)?.custodian;
  if (owner === undefined) throw new NotManagedError("request or connection");
  return owner;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** As `requestOf`, and undefined for what belongs to no server under a manager. @internal */
export function findRequest(value: unknown): ManagedRequest | undefined {
  if (typeof value !== "object" || value === null) {
    throw new ArgumentTypeError("value", "a request, a response, a stream or a socket", value);
  }
  const known = knownAs(value);
  return markedRequest(known) ?? connectionOf(known)?.speaker?.requestOf?.(known);
}

/** What a request is known by: for a request or response of node:http2 its stream, for a response of node:http its request. @internal */
export function knownAs(value: object): object {
  const { req, stream } = value as { req?: unknown; stream?: unknown };
  return isObject(stream) ? stream : isObject(req) ? req : value;
}
