/**
 * What a custodian can own, and how each kind is shut down. One row a kind; the first that matches counts.
 *
 * Modules that a program may never load (http2, worker_threads, child_process, web streams) are recognised by their
 * methods, so that owning a socket does not load them.
 */
import { Server, Socket } from "node:net";
import { Duplex, Stream, finished } from "node:stream";
import { isTimer } from "../timers/timer.ts";
import type { Timer } from "../timers/timer.ts";
import type { Custodian } from "./custodian.ts";
import { isCustodian } from "./member.ts";
import { endConnections, speaksHttp, watchConnections } from "./server-connections.ts";
import { abortReason } from "./shut-down-error.ts";

/** How one kind of resource is shut down, and how one sees that it has ended. */
export interface ResourceKind<T = unknown> {
  readonly name: string;
  /** Starts the end. A promise is waited for; else it has ended when it says so, or now if it can say nothing. */
  shutDown(value: T, reason: unknown): unknown;
  /** The event that says it has ended, by itself or because of us. */
  readonly closeEvent?: string;
  /** Whether it can be opened again after the event. */
  readonly mayReopen?: boolean;
  /** Where there is no such event: calls `ended` when it ends by itself. @returns how to stop watching */
  watch?(value: T, ended: () => void): () => void;
  /** Whether it has ended when `shutDown` returns, so that the event is not waited for. */
  readonly endsAtOnce?: boolean;
  /** Whether it has ended already. */
  isClosed?(value: T): boolean;
  /** Whether it may emit 'error' while it closes. With nobody to hear it, that would end the process. */
  readonly mayFail?: boolean;
  /** At the finalizer timeout: ends it without its consent. */
  force?(value: T): void;
}

interface Row extends ResourceKind {
  is(value: object): boolean;
}

/** Erases the type that `is` has proved. Every row gets every property, so that all have one shape. */
function row<T>(name: string, is: (value: object) => boolean, kind: Omit<ResourceKind<T>, "name">): Row {
  const { shutDown, closeEvent, mayReopen, watch, endsAtOnce, isClosed, mayFail, force } = kind;
  return { name, shutDown, closeEvent, mayReopen, watch, endsAtOnce, isClosed, mayFail, force, is } as Row;
}

function has(...names: PropertyKey[]): (value: object) => boolean {
  return (value) => names.every((name) => name in value);
}

interface Closable {
  close(): unknown;
}

interface Destroyable {
  closed?: boolean;
  destroy(): unknown;
}

interface Session extends Destroyable {
  destroyed: boolean;
  once(event: "close", listener: () => void): unknown;
}

interface Process {
  pid?: number;
  exitCode: number | null;
  signalCode: string | null;
  kill(signal: string): boolean;
}

const destroy = (value: Destroyable): void => void value.destroy();
const close = (value: Closable): unknown => value.close();

/** A custodian is not managed as a value: it becomes a child. */
export const custodianKind: Row = row<Custodian>("custodian", isCustodian, {
  shutDown: (custodian, reason) => custodian.shutdownAll(reason),
});

const rows: readonly Row[] = [
  row<Destroyable>("socket", (value) => value instanceof Socket, {
    shutDown: destroy,
    closeEvent: "close",
    isClosed: (socket) => socket.closed === true,
  }),
  row<Destroyable>("http2 stream", (value) => value instanceof Duplex && "rstCode" in value, {
    shutDown: destroy,
    closeEvent: "close",
    // Its own `closed` is true from the moment a close was asked for; the one it hides tells the truth.
    isClosed: (stream) => Reflect.get(Duplex.prototype, "closed", stream),
    mayFail: true,
  }),
  row<Destroyable & NodeJS.ReadableStream>("stream without 'close'", isSilentStream, {
    shutDown: destroy,
    watch: (stream, ended) => finished(stream, { error: false }, ended),
    isClosed: (stream) => stream.closed === true,
    mayFail: true,
  }),
  row<Destroyable>("stream", (value) => value instanceof Stream && "destroy" in value, {
    shutDown: destroy,
    closeEvent: "close",
    isClosed: (stream) => stream.closed === true,
    mayFail: true,
  }),
  row<Server>("HTTP server", (value) => value instanceof Server && speaksHttp(value), {
    shutDown: endConnections,
    watch: watchConnections,
    mayFail: true,
  }),
  row<Server>("server", (value) => value instanceof Server, {
    shutDown: close,
    closeEvent: "close",
    mayReopen: true,
    // The listener is gone; connections of plain servers belong to custodians of their own.
    endsAtOnce: true,
  }),
  row<Session>("http2 session", has("goaway", "destroy", "settings"), {
    shutDown(session) {
      // It calls itself closed before its socket is.
      const closed = new Promise<void>((resolve) => session.once("close", resolve));
      session.destroy();
      return closed;
    },
    closeEvent: "close",
    isClosed: (session) => session.destroyed,
    mayFail: true,
  }),
  row<Process>("child process", has("kill", "spawnfile", "stdio"), {
    shutDown: (child) => void child.kill("SIGTERM"),
    closeEvent: "exit",
    isClosed: (child) => child.pid === undefined || child.exitCode !== null || child.signalCode !== null,
    force: (child) => void child.kill("SIGKILL"),
    mayFail: true,
  }),
  row<{ threadId: number; terminate(): Promise<number> }>("worker", has("terminate", "threadId", "postMessage"), {
    shutDown: (worker) => worker.terminate(),
    closeEvent: "exit",
    isClosed: (worker) => worker.threadId === -1,
  }),
  row<Closable & { fd: number }>("file handle", has("fd", "readFile", "close"), {
    shutDown: close,
    closeEvent: "close",
    isClosed: (file) => file.fd === -1,
  }),
  row<Closable & { address(): unknown }>("datagram socket", has("addMembership", "address", "close"), {
    shutDown: close,
    closeEvent: "close",
    isClosed: isClosedDatagramSocket,
  }),
  row<Closable>("message port", has("postMessage", "start", "close", "on"), {
    shutDown: close,
    closeEvent: "close",
    // One that is closed already closes without a word.
    endsAtOnce: true,
  }),
  row<Closable & { postMessage(message: unknown): void }>("broadcast channel", has("postMessage", "close", "name"), {
    shutDown: close,
    isClosed: isClosedChannel,
  }),
  row<AbortController>("abort controller", has("abort", "signal"), {
    shutDown: (controller, reason) => controller.abort(abortReason(reason)),
    watch(controller, ended) {
      controller.signal.addEventListener("abort", ended);
      return () => controller.signal.removeEventListener("abort", ended);
    },
    isClosed: (controller) => controller.signal.aborted,
  }),
  row<ReadableStream>("readable web stream", has("getReader", "cancel", "tee"), {
    shutDown: (stream, reason) => stream.cancel(abortReason(reason)),
    watch: watchWebStream,
  }),
  row<WritableStream>("writable web stream", has("getWriter", "abort", "close"), {
    shutDown: (stream, reason) => stream.abort(abortReason(reason)),
    watch: watchWebStream,
  }),
  row<ReadableStreamDefaultReader>("web stream reader", has("releaseLock", "cancel", "closed"), {
    shutDown: (reader, reason) => reader.cancel(abortReason(reason)),
    watch: watchWebLock,
  }),
  row<WritableStreamDefaultWriter>("web stream writer", has("releaseLock", "abort", "closed"), {
    shutDown: (writer, reason) => writer.abort(abortReason(reason)),
    watch: watchWebLock,
  }),
  row<Closable & { closed: boolean }>("line reader", has("close", "setPrompt", "line", "on"), {
    shutDown: close,
    closeEvent: "close",
    isClosed: (reader) => reader.closed,
    mayFail: true,
  }),
  row<Closable>("file system watcher", has("close", "start", "ref", "on"), {
    shutDown: close,
    closeEvent: "close",
    endsAtOnce: true,
    mayFail: true,
  }),
  row<Closable & { read(callback: unknown): unknown }>("directory", has("close", "readSync", "path"), {
    shutDown: closeDirectory,
    isClosed: isClosedDirectory,
  }),
  row<Disposable>("Node timer", has("hasRef", "_destroyed", Symbol.dispose), {
    shutDown: (timer) => timer[Symbol.dispose](),
    isClosed: (timer) => Reflect.get(timer, "_destroyed") === true,
  }),
  row<Timer>("timer", isTimer, {
    shutDown: (timer) => void timer.cancel(),
    isClosed: (timer) => !timer.active,
  }),
  custodianKind,
  row<AsyncDisposable>("async disposable", has(Symbol.asyncDispose), {
    shutDown: (disposable) => disposable[Symbol.asyncDispose](),
    isClosed: isDisposed,
  }),
  row<Disposable>("disposable", has(Symbol.dispose), {
    shutDown: (disposable) => disposable[Symbol.dispose](),
    isClosed: isDisposed,
  }),
  row<Closable & { terminate?(): unknown }>("emitter of 'close'", has("close", "on", "off"), {
    shutDown: close,
    closeEvent: "close",
    mayReopen: true,
    // A WebSocket of `ws` waits for its peer.
    force: (emitter) => void emitter.terminate?.(),
    mayFail: true,
  }),
];

/** The timers of `custodian.setTimeout`: they leave when they fire, and nobody says so when the program cancels one. */
export const timerKind: ResourceKind = {
  name: "timer",
  shutDown: (timer) => void (timer as Timer).cancel(),
  isClosed: (timer) => !(timer as Timer).active,
};

export const deferredKind: ResourceKind = {
  name: "deferred function",
  shutDown: (fn, reason) => (fn as (reason: unknown) => unknown)(reason),
};

/** The kind of a value, or undefined where a custodian does not know how to shut it down. */
export function kindOf(value: unknown): ResourceKind | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  for (const kind of rows) if (kind.is(value)) return kind;
  return undefined;
}

/** The kinds in the order in which they are tried, for the documentation. */
export const kindNames: readonly string[] = rows.map((kind) => kind.name);

/** Whether a stream was made with `emitClose: false`. Streams tell nobody but their own state. */
function isSilentStream(value: object): boolean {
  if (!(value instanceof Stream)) return false;
  const { _readableState: readable, _writableState: writable } = value as {
    _readableState?: { emitClose?: boolean };
    _writableState?: { emitClose?: boolean };
  };
  return (readable ?? writable)?.emitClose === false;
}

function isClosedDatagramSocket(socket: { address(): unknown }): boolean {
  return isRefused(() => socket.address(), "ERR_SOCKET_DGRAM_NOT_RUNNING");
}

/** Whether `ask`, which does no harm, is refused with the error that says it has ended. */
function isRefused(ask: () => unknown, code: string): boolean {
  try {
    ask();
    return false;
  } catch (error) {
    const { code: told, name } = error as NodeJS.ErrnoException;
    return told === code || name === code;
  }
}

/** It says nothing; but whether it is open is asked before what is to be sent is looked at. */
function isClosedChannel(channel: { postMessage(message: unknown): void }): boolean {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel, not a window
  return isRefused(() => channel.postMessage(Symbol("no message")), "InvalidStateError");
}

/** Iterating over a directory closes it; whether it is open is asked before what is to be called is looked at. */
function isClosedDirectory(directory: { read(callback: unknown): unknown }): boolean {
  return isRefused(() => directory.read(null), "ERR_DIR_CLOSED");
}

async function closeDirectory(directory: Closable): Promise<void> {
  try {
    await directory.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_DIR_CLOSED") throw error;
  }
}

/** Who is to be told of an end of which only a promise tells. A promise lets go of nobody, so one hearer serves all of them. */
const watched: WeakMap<object, Set<() => void>> = new WeakMap();

function watchOnce(value: object, ended: () => void, hear: (tell: () => void) => unknown): () => void {
  const known = watched.get(value);
  const waiting = known ?? new Set<() => void>();
  waiting.add(ended);
  if (known === undefined) {
    watched.set(value, waiting);
    hear(() => {
      watched.delete(value);
      for (const tell of waiting) tell();
    });
  }
  return () => void waiting.delete(ended);
}

/** `finished` sees the end of a web stream without locking it. */
function watchWebStream(stream: ReadableStream | WritableStream, ended: () => void): () => void {
  return watchOnce(stream, ended, (tell) => finished(stream as unknown as NodeJS.ReadableStream, tell));
}

function watchWebLock(lock: { closed: Promise<unknown> }, ended: () => void): () => void {
  return watchOnce(lock, ended, (tell) => lock.closed.then(tell, tell));
}

function isDisposed(disposable: object): boolean {
  return "disposed" in disposable && disposable.disposed === true;
}
