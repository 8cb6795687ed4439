/**
 * Hearing of the ends of sessions and streams at once and at little cost: by methods of their own on each, which Node's own
 * code calls, too. One function each for all of them, and no listener.
 */
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { connectionOfPort } from "../../connection/lookup.ts";
import { isDeparture, isProtocolError } from "../../connection/ports.ts";

/** The speaker of a session, which is told of the ends. */
export interface Http2Watcher {
  /** The session is being destroyed. */
  sessionEnded(error: unknown): void;
  /** A stream is about to be destroyed; `error` is the program's or the session's, or null. */
  streamEnds(stream: ServerHttp2Stream, error: Error | null): void;
  /** This side closes a stream. */
  streamClosedHere(stream: ServerHttp2Stream): void;
}

type Callback = (error?: Error | null) => void;
/** What Duplex asks of a stream that is destroyed; the types of Node leave it out. */
type Destroyed = ServerHttp2Stream & { _destroy(error: Error | null, callback: Callback): void };

/** Both need to lead to their connection (`markLayer`). */
export function watchSession(session: ServerHttp2Session): void {
  session.destroy = destroySession;
}

export function watchStream(stream: ServerHttp2Stream): void {
  (stream as Destroyed)._destroy = destroyStream;
  stream.close = closeStream;
  stream.pushStream = pushStream;
}

/** Gives the session its methods back. */
export function freeSession(session: ServerHttp2Session): void {
  Reflect.deleteProperty(session, "destroy");
}

/** Gives the stream its methods back. */
export function freeStream(stream: ServerHttp2Stream): void {
  for (const name of ["_destroy", "close", "pushStream"]) Reflect.deleteProperty(stream, name);
}

function watcherOf(layer: object): Partial<Http2Watcher> | null | undefined {
  return connectionOfPort(layer)?.speaker as Partial<Http2Watcher> | null | undefined;
}

function prototypeOf<T extends object>(object: T): T {
  return Object.getPrototypeOf(object) as T;
}

function destroySession(this: ServerHttp2Session, error?: Error | number, code?: number): void {
  if (this.destroyed) return;
  prototypeOf(this).destroy.call(this, error as Error, code);
  watcherOf(this)?.sessionEnded?.(error);
}

function destroyStream(this: Destroyed, error: Error | null, callback: Callback): void {
  watcherOf(this)?.streamEnds?.(this, error);
  prototypeOf(this)._destroy.call(this, error, (failure) => {
    // An error that nobody listens for would end the process, and a client can bring it about by itself.
    const isClients = error === null || isDeparture(error) || isProtocolError(error);
    callback(isClients && this.listenerCount("error") === 0 ? null : failure);
  });
}

function closeStream(this: ServerHttp2Stream, code?: number, callback?: () => void): void {
  watcherOf(this)?.streamClosedHere?.(this);
  prototypeOf(this).close.call(this, code, callback);
}

/** A pushed stream can be reset by the client like any other. */
function pushStream(this: ServerHttp2Stream, ...args: unknown[]): void {
  const callback = args.at(-1) as (error: Error | null, pushed: Destroyed, ...rest: unknown[]) => void;
  const heard: typeof callback = (error, pushed, ...rest) => {
    // On a failure there is no stream.
    if (error === null) pushed._destroy = destroyStream;
    callback(error, pushed, ...rest);
  };
  if (typeof callback === "function") args[args.length - 1] = heard;
  Reflect.apply(prototypeOf(this).pushStream, this, args);
}
