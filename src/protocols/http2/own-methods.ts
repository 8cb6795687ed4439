/**
 * Methods of their own on each session and stream. Node's own code calls them, too, and so they tell of every end at once,
 * at little cost; and what a client does at a bad moment cannot make a program fail that goes on as if nothing had happened.
 * One function each for all of them.
 */
import type {
  OutgoingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
  ServerStreamResponseOptions,
} from "node:http2";
import { errorListenersOf, hasCompatRequest } from "../../core/node-internals.ts";
import { nodeHttp2 } from "../../core/node-modules.ts";
import { keeperOf } from "../../connection/lookup.ts";
import type { LayerKeeper } from "../../connection/lookup.ts";

/** The keeper of a session, which is told of the ends. */
export interface SessionKeeper extends LayerKeeper {
  /** The session is being destroyed. */
  sessionEnded(error: unknown): void;
}

/** The keeper of a stream. */
export interface StreamKeeper extends LayerKeeper {
  /** Who closed the stream first: "both" where all was sent by then. Null while it is open. */
  closedBy: "us" | "client" | "both" | null;
  /** Whether it may have a timeout of its own (`setTimeout`). */
  hasTimeout: boolean;
  /** The stream is about to be destroyed, closed before or not; `error` is the program's or the session's, or null. */
  ends(error: Error | null, isClosed: boolean): void;
}

type Callback = (error?: Error | null) => void;
/** What Duplex asks of a stream; the types of Node leave it out. */
type Inside = Omit<ServerHttp2Stream, "_final" | "setTimeout"> & {
  setTimeout(ms: number, callback?: () => void): unknown;
  _destroy(error: Error | null, callback: Callback): void;
  _final: ((callback: Callback) => void) | null;
};

/** Its keeper must be a `SessionKeeper` (`markLayer`). */
export function watchSession(session: ServerHttp2Session): void {
  session.destroy = destroySession;
}

/**
 * Its keeper must be a `StreamKeeper` (`markLayer`). As few as can be: each makes a stream larger, and all that Node looks for
 * in it further away.
 * @param isClosed whether it was closed already: its client may have reset it in the same breath, or before we came
 */
export function watchStream(stream: ServerHttp2Stream, isClosed: boolean): void {
  (stream as unknown as Inside)._destroy = destroyStream;
  stream.close = closeStream;
  stream.setTimeout = setStreamTimeout;
  stream.pushStream = pushStream;
  if (isClosed) closedEarly(stream);
}

/** Whether the stream has our methods. */
export function isWatched(stream: ServerHttp2Stream): boolean {
  return (stream as unknown as Inside)._destroy === destroyStream;
}

/** The stream was closed before all was sent; unless we did so, that was its client, whatever the program does about it. */
function closedEarly(stream: ServerHttp2Stream): void {
  const keeper = keeperOf(stream) as StreamKeeper | undefined;
  if (keeper !== undefined) keeper.closedBy ??= "client";
  makeHarmless(stream);
}

/**
 * From here on node:http2 throws at whoever goes on with the stream, and a client can bring that about at any time. What a
 * tracer has put around these methods is replaced: below it are those that throw.
 */
function makeHarmless(stream: ServerHttp2Stream): void {
  stream.respond = respond;
  stream.respondWithFD = respondWithFD;
  stream.respondWithFile = respondWithFile;
  stream.additionalHeaders = additionalHeaders;
  stream.sendTrailers = sendTrailers;
}

/**
 * A reset by the client is an error of the stream, and one that nobody hears would end the process. Where node:http2 has
 * made a request of it (its compatibility API) it hears of them itself, and a listener of ours would add about half of what
 * all the rest costs a stream.
 */
export function hearStreamErrors(stream: ServerHttp2Stream): void {
  const listeners = errorListenersOf(stream);
  if (listeners !== undefined && listeners === compatListener) return;
  if (stream.listenerCount("error") > 0) {
    if (hasCompatRequest(stream)) {
      if (typeof listeners === "function") compatListener = listeners;
      return;
    }
    if (stream.listeners("error").includes(ignore)) return;
  }
  stream.on("error", ignore);
}

/** The one that node:http2 has for all requests of its compatibility API; undefined until it has been seen. */
let compatListener: unknown;

/** Gives the session its methods back. */
export function freeSession(session: ServerHttp2Session): void {
  Reflect.deleteProperty(session, "destroy");
}

/** What a program answers with. */
const answers = { respond, respondWithFD, respondWithFile, additionalHeaders, sendTrailers };
const methods = { _destroy: destroyStream, close: closeStream, setTimeout: setStreamTimeout, pushStream, ...answers };

/** Gives the stream its methods back. */
export function freeStream(stream: ServerHttp2Stream): void {
  for (const [name, method] of Object.entries(methods)) {
    if (Reflect.get(stream, name) === method) Reflect.deleteProperty(stream, name);
  }
  stream.off("error", ignore);
}

/**
 * Ends a session with its last words.
 * @param isTorn whether what waits behind the first reset of a stream would be lost: over TLS one write at a time is on its way
 */
export function sayGoodbye(session: ServerHttp2Session, code: number, isTorn: boolean): void {
  if (isTorn) session.goaway(code);
  // Closed first, so that http2 lets the client take the last words; and they are said once.
  session.goaway = session.destroy = () => {};
  session.close();
  Reflect.deleteProperty(session, "goaway");
  freeSession(session);
  session.destroy(null as never, code);
}

/**
 * Ends the stream now. What it has sent is cut off with `code`: without this http2 would send the regular end first, and
 * the client would take half a response for a whole one.
 * @param failed told of what the program throws, who hears 'aborted' before http2 sends the reset
 */
export function cutOff(stream: ServerHttp2Stream, code: number, failed: (error: unknown) => void): void {
  markUnfinished(stream);
  const own = Object.getOwnPropertyDescriptor(stream, "emit");
  const emit = stream.emit.bind(stream) as (...args: unknown[]) => boolean;
  stream.emit = (...args: unknown[]): boolean => {
    try {
      return emit(...args);
    } catch (error) {
      failed(error);
      return true;
    }
  };
  stream.close(code);
  if (own === undefined) Reflect.deleteProperty(stream, "emit");
  else Object.defineProperty(stream, "emit", own);
  stream.destroy();
}

/**
 * Answers with a status alone, and then ends the stream, whatever the client still sends. What the program does meanwhile
 * goes nowhere: it sees a stream that has not been answered.
 * @param failed see `cutOff`
 */
export function answerAndCutOff(stream: ServerHttp2Stream, status: number, failed: (error: unknown) => void): void {
  stream.respond({ ":status": status }, { endStream: true });
  Object.defineProperty(stream, "headersSent", { value: false });
  for (const name of Object.keys(answers)) Reflect.set(stream, name, ignore);
  stream.push = () => true;
  // nghttp2 drops an answer that is still waiting when its stream is reset.
  setImmediate(() => setImmediate(() => cutOff(stream, nodeHttp2().constants.NGHTTP2_NO_ERROR, failed)));
}

/** Should it be destroyed before the program has ended it, then without its regular end. */
export function markUnfinished(stream: ServerHttp2Stream): void {
  if (!stream.writableEnded) (stream as unknown as Inside)._final = null;
}

/** Whether anyone but us hears of a stream's errors. */
export function hasErrorListener(stream: ServerHttp2Stream): boolean {
  return stream.listeners("error").some((listener) => listener !== ignore);
}

let known: Inside | undefined;

/** What all streams of servers inherit. Asking each of them would cost more than the rest of what is done here. */
function inheritedBy(stream: ServerHttp2Stream): Inside {
  return (known ??= Object.getPrototypeOf(stream) as Inside);
}

function destroySession(this: ServerHttp2Session, error?: Error | number, code?: number): void {
  if (this.destroyed) return;
  (Object.getPrototypeOf(this) as ServerHttp2Session).destroy.call(this, error as Error, code);
  (keeperOf(this) as SessionKeeper | undefined)?.sessionEnded(error);
}

function destroyStream(this: ServerHttp2Stream, error: Error | null, callback: Callback): void {
  const keeper = keeperOf(this) as StreamKeeper | undefined;
  // Node's own symbols are looked for in each stream anew; most have told us.
  const isClosed = keeper?.closedBy != null || this.closed;
  // Node closes it only after this; the request's signal has told the program by then.
  if (!isClosed) makeHarmless(this);
  keeper?.ends(error, isClosed);
  inheritedBy(this)._destroy.call(this, error, callback);
}

function closeStream(this: ServerHttp2Stream, code?: number, callback?: () => void): void {
  const keeper = keeperOf(this) as StreamKeeper | undefined;
  const before = keeper?.closedBy ?? null;
  if (keeper !== undefined) keeper.closedBy ??= "us";
  try {
    inheritedBy(this).close.call(this, code, callback);
  } catch (error) {
    // What it was given may be no code, and then it is as open as before.
    if (keeper !== undefined && !this.closed) keeper.closedBy = before;
    throw error;
  }
}

/**
 * node:http2 sets it to 0 when a stream is closed, from whichever side, and before anybody hears of it. Where all was sent,
 * trailers included, what a program still tries is its own mistake.
 */
function setStreamTimeout(this: ServerHttp2Stream, ms: number, callback?: () => void): unknown {
  const keeper = keeperOf(this) as StreamKeeper | undefined;
  if (this.closed) {
    if (!this.writableFinished || this.sentTrailers === undefined) closedEarly(this);
    else if (keeper !== undefined) keeper.closedBy ??= "both";
    // Most have none, and clearing it would be a twentieth of what managing a stream costs.
    if (keeper?.hasTimeout === false && ms === 0 && callback === undefined) return this;
  }
  if (keeper !== undefined) keeper.hasTimeout = true;
  return inheritedBy(this).setTimeout.call(this, ms, callback);
}

/** Whether the stream is gone: http2 throws at whoever goes on with it, and a client can make that happen at any time. */
function isGone(stream: ServerHttp2Stream): boolean {
  return stream.destroyed || stream.closed;
}

function respond(this: ServerHttp2Stream, headers?: OutgoingHttpHeaders, options?: ServerStreamResponseOptions): void {
  if (!isGone(this)) inheritedBy(this).respond.call(this, headers, options);
}

function respondWithFD(this: ServerHttp2Stream, ...args: Parameters<ServerHttp2Stream["respondWithFD"]>): void {
  if (!isGone(this)) inheritedBy(this).respondWithFD.apply(this, args);
}

function respondWithFile(this: ServerHttp2Stream, ...args: Parameters<ServerHttp2Stream["respondWithFile"]>): void {
  if (!isGone(this)) inheritedBy(this).respondWithFile.apply(this, args);
}

function additionalHeaders(this: ServerHttp2Stream, ...args: Parameters<ServerHttp2Stream["additionalHeaders"]>): void {
  if (!isGone(this)) inheritedBy(this).additionalHeaders.apply(this, args);
}

function sendTrailers(this: ServerHttp2Stream, ...args: Parameters<ServerHttp2Stream["sendTrailers"]>): void {
  if (!isGone(this)) inheritedBy(this).sendTrailers.apply(this, args);
}

/** A pushed stream can be reset by the client like any other. */
function pushStream(this: ServerHttp2Stream, ...args: unknown[]): void {
  const callback = args.at(-1) as (error: Error | null, pushed: ServerHttp2Stream, ...rest: unknown[]) => void;
  const heard: typeof callback = (error, pushed, ...rest) => {
    // On a failure there is no stream.
    if (error === null) pushed.on("error", ignore);
    callback(error, pushed, ...rest);
  };
  if (typeof callback === "function") args[args.length - 1] = heard;
  Reflect.apply(inheritedBy(this).pushStream, this, args);
}

function ignore(): void {}
