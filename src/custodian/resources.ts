/**
 * What a custodian can own, and how each kind is shut down. One row a kind; the first that matches counts.
 *
 * Modules that a program may never load (http2, worker_threads, child_process) are recognised by their methods, so that
 * owning a socket does not load them.
 */
import { Server } from "node:net";
import { Stream } from "node:stream";

/** How one kind of resource is shut down, and how one sees that it has ended. */
export interface ResourceKind<T = unknown> {
  readonly name: string;
  /** Starts the end. A promise is waited for; otherwise `closeEvent` is, and without one the resource has ended. */
  shutDown(value: T, reason: unknown): unknown;
  /** The event that says it has ended, by itself or because of us. */
  readonly closeEvent?: string;
  /** Whether the event's listener gets the resource as its `this`, so that one function serves all of a custodian. */
  readonly sharesListener?: boolean;
  /** Whether it has ended already. */
  isClosed?(value: T): boolean;
  /** At the finalizer timeout: ends it without its consent. */
  force?(value: T): void;
}

interface Row extends ResourceKind {
  is(value: object): boolean;
}

/** Erases the type that `is` has proved. */
function row<T>(is: (value: object) => boolean, kind: ResourceKind<T>): Row {
  return { ...kind, is } as Row;
}

function has(...names: string[]): (value: object) => boolean {
  return (value) => names.every((name) => name in value);
}

interface Closable {
  close(): unknown;
}

interface Process {
  pid?: number;
  exitCode: number | null;
  signalCode: string | null;
  kill(signal: string): boolean;
}

interface Destroyable {
  closed?: boolean;
  destroy(): unknown;
}

const rows: readonly Row[] = [
  row<Destroyable>((value) => value instanceof Stream, {
    name: "stream",
    shutDown: (stream) => void stream.destroy(),
    closeEvent: "close",
    sharesListener: true,
    isClosed: (stream) => stream.closed === true,
  }),
  row<Server & { closeAllConnections?(): void }>((value) => value instanceof Server, {
    name: "server",
    // The listener is gone when close returns; connections of plain servers belong to their own custodians.
    shutDown(server) {
      if (server.listening) server.close();
      server.closeAllConnections?.();
    },
    closeEvent: "close",
    isClosed: (server) => !server.listening,
  }),
  row<Destroyable>(has("goaway", "destroy", "settings"), {
    name: "http2 session",
    shutDown: (session) => void session.destroy(),
    closeEvent: "close",
    isClosed: (session) => session.closed === true && "destroyed" in session && session.destroyed === true,
  }),
  row<Process>(has("kill", "spawnfile", "stdio"), {
    name: "child process",
    shutDown: (child) => void child.kill("SIGTERM"),
    closeEvent: "exit",
    isClosed: (child) => child.pid === undefined || child.exitCode !== null || child.signalCode !== null,
    force: (child) => void child.kill("SIGKILL"),
  }),
  row<{ threadId: number; terminate(): Promise<number> }>(has("terminate", "threadId", "postMessage"), {
    name: "worker",
    shutDown: (worker) => worker.terminate(),
    closeEvent: "exit",
    isClosed: (worker) => worker.threadId === -1,
  }),
  row<Closable & { fd: number }>(has("fd", "readFile", "close"), {
    name: "file handle",
    shutDown: (file) => file.close(),
    closeEvent: "close",
    isClosed: (file) => file.fd === -1,
  }),
  row<Closable>(has("addMembership", "close"), {
    name: "datagram socket",
    shutDown: (socket) => void socket.close(),
    closeEvent: "close",
  }),
  row<Closable>((value) => value instanceof MessagePort, {
    name: "message port",
    shutDown: (port) => void port.close(),
    closeEvent: "close",
  }),
  row<Closable>((value) => value instanceof BroadcastChannel, {
    name: "broadcast channel",
    shutDown: (channel) => void channel.close(),
  }),
  row<AbortController>((value) => value instanceof AbortController, {
    name: "abort controller",
    shutDown: (controller, reason) => controller.abort(reason),
    isClosed: (controller) => controller.signal.aborted,
  }),
  row<ReadableStream>((value) => value instanceof ReadableStream, {
    name: "readable web stream",
    shutDown: (stream, reason) => stream.cancel(reason),
  }),
  row<WritableStream>((value) => value instanceof WritableStream, {
    name: "writable web stream",
    shutDown: (stream, reason) => stream.abort(reason),
  }),
  row<AsyncDisposable>(has(Symbol.asyncDispose as unknown as string), {
    name: "async disposable",
    shutDown: (disposable) => disposable[Symbol.asyncDispose](),
  }),
  row<Disposable>(has(Symbol.dispose as unknown as string), {
    name: "disposable",
    shutDown: (disposable) => disposable[Symbol.dispose](),
  }),
  // File system watchers, directories and line readers: closed, and (but for directories) say so by an event.
  row<Closable>(has("close", "on"), {
    name: "watcher",
    shutDown: (watcher) => watcher.close(),
    closeEvent: "close",
  }),
  row<Closable>(has("close", "read", "path"), {
    name: "directory",
    shutDown: (directory) => directory.close(),
  }),
];

/** Timers leave their custodian when they fire; shut down, they are cancelled. */
export const timerKind: ResourceKind = {
  name: "timer",
  shutDown: (timer) => void (timer as { cancel(): boolean }).cancel(),
};

/** The kind of a value, or undefined where a custodian does not know how to shut it down. */
export function kindOf(value: unknown): ResourceKind | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return rows.find((candidate) => candidate.is(value));
}

/** The kinds in the order in which they are tried, for the documentation. */
export const kindNames: readonly string[] = rows.map((kind) => kind.name);
