/**
 * One living specimen of every kind of resource, and how it ends without a custodian.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { EventEmitter, once } from "node:events";
import { createReadStream, createWriteStream, mkdtempSync, rmSync, watch, writeFileSync } from "node:fs";
import { open, opendir } from "node:fs/promises";
import { Agent, createServer as createHttpServer, request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { PassThrough, Readable } from "node:stream";
import { after } from "node:test";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { TLSSocket } from "node:tls";
import { Worker } from "node:worker_threads";
import { createGzip } from "node:zlib";
import { startTimer, startTimerManager } from "../../src/timers/index.ts";
import { listening, socketPair, turn } from "./support.ts";

export const folder = mkdtempSync(join(tmpdir(), "portreeve-"));
export const file = join(folder, "file");
writeFileSync(file, "x".repeat(1_000_000));
after(() => rmSync(folder, { recursive: true }));

/** One resource, alive. */
export interface Specimen {
  resource: object;
  hasEnded: () => boolean;
  /** Ends it without the custodian, and settles when it has said so. */
  endByItself: () => unknown;
  /** What the test has to put away besides. */
  cleanUp?: () => unknown;
}

export interface Case {
  /** What it is, where the name of the kind does not say it. */
  what?: string;
  kind: string;
  make: () => Specimen | Promise<Specimen>;
  /** It says nothing when it ends, and stays until someone looks or the shutdown comes. */
  quiet?: boolean;
  /** Once it has ended it cannot be told from one that has not. */
  mute?: boolean;
  /** It has ended when the custodian says so, but can be seen to only a turn later. */
  tellsLater?: boolean;
}

function streamSpecimen(resource: Readable | PassThrough | Socket, cleanUp?: () => unknown): Specimen {
  return {
    resource,
    hasEnded: () => resource.destroyed,
    endByItself: () => once(resource.destroy(), "close"),
    ...(cleanUp === undefined ? {} : { cleanUp }),
  };
}

/** A shared secret instead of certificates. */
export const psk = {
  pskCallback: () => Buffer.from("secret"),
  ciphers: "PSK",
  maxVersion: "TLSv1.2",
  pskIdentityHint: "",
} as const;
export const pskClient = {
  ciphers: "PSK",
  maxVersion: "TLSv1.2",
  checkServerIdentity: () => undefined,
  pskCallback: () => ({ psk: Buffer.from("secret"), identity: "client" }),
} as const;

async function tlsPair(): Promise<{ near: TLSSocket; far: TLSSocket }> {
  const { server, port } = await listening(createTlsServer(psk));
  const accepted = once(server, "secureConnection") as Promise<[TLSSocket]>;
  const near = connectTls({ ...pskClient, host: "127.0.0.1", port });
  const [[far]] = await Promise.all([accepted, once(near, "secureConnect")]);
  server.close();
  return { near, far };
}

async function httpExchange() {
  const { server, port } = await listening(createHttpServer());
  const received = once(server, "request") as Promise<[IncomingMessage, ServerResponse]>;
  const client = request({ host: "127.0.0.1", port, method: "POST", agent: new Agent({ keepAlive: true }) });
  client.on("error", () => {});
  client.flushHeaders();
  const [incoming, response] = await received;
  const cleanUp = (): void => {
    client.destroy();
    server.close();
    server.closeAllConnections();
  };
  return { server, client, incoming, response, cleanUp };
}

async function http2Exchange() {
  const { server, port } = await listening(createHttp2Server());
  const opened = once(server, "session") as Promise<[ServerHttp2Session]>;
  const received = once(server, "stream") as Promise<[ServerHttp2Stream]>;
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const client = session.request({ ":method": "POST" });
  const [[serverSession], [stream]] = await Promise.all([opened, received]);
  const cleanUp = (): void => {
    session.destroy();
    serverSession.destroy();
    server.close();
  };
  return { server, session, serverSession, client, stream, cleanUp };
}

function sessionSpecimen(resource: ClientHttp2Session | ServerHttp2Session, cleanUp: () => unknown): Specimen {
  return { resource, hasEnded: () => resource.destroyed, endByItself: () => once(close(resource), "close"), cleanUp };
}

function http2StreamSpecimen(resource: ClientHttp2Stream | ServerHttp2Stream, cleanUp: () => unknown): Specimen {
  return { resource, hasEnded: () => resource.destroyed, endByItself: () => once(close(resource), "close"), cleanUp };
}

function close<T extends { close(): unknown }>(resource: T): T {
  resource.close();
  return resource;
}

export function script(source: string): ChildProcess {
  return spawn(process.execPath, ["-e", source], { stdio: ["pipe", "pipe", "inherit"] });
}

function nodeTimerSpecimen(timer: NodeJS.Timeout | NodeJS.Immediate, stop: () => void): Specimen {
  return {
    resource: timer,
    hasEnded: () => Reflect.get(timer, "_destroyed") === true,
    endByItself: stop,
    cleanUp: stop,
  };
}

export const cases: Case[] = [
  {
    what: "a socket",
    kind: "socket",
    async make() {
      const { near, far } = await socketPair();
      return streamSpecimen(near, () => far.destroy());
    },
  },
  {
    what: "a socket that is still connecting",
    kind: "socket",
    async make() {
      const { server, port } = await listening(createServer((socket) => socket.destroy()));
      return streamSpecimen(connect(port, "127.0.0.1"), () => server.close());
    },
  },
  {
    what: "a TLS socket of a client",
    kind: "socket",
    async make() {
      const { near, far } = await tlsPair();
      return streamSpecimen(near, () => far.destroy());
    },
  },
  {
    what: "a TLS socket of a server",
    kind: "socket",
    async make() {
      const { near, far } = await tlsPair();
      near.on("error", () => {});
      return streamSpecimen(far, () => near.destroy());
    },
  },
  {
    what: "an HTTP/2 stream of a client",
    kind: "http2 stream",
    async make() {
      const { client, cleanUp } = await http2Exchange();
      return http2StreamSpecimen(client, cleanUp);
    },
  },
  {
    what: "an HTTP/2 stream of a server",
    kind: "http2 stream",
    async make() {
      const { client, stream, cleanUp } = await http2Exchange();
      client.on("error", () => {});
      return http2StreamSpecimen(stream, cleanUp);
    },
  },
  {
    what: "a stream that never says 'close'",
    kind: "stream without 'close'",
    make() {
      const resource = new Readable({ read() {}, emitClose: false });
      return {
        resource,
        hasEnded: () => resource.destroyed,
        endByItself() {
          resource.push(null);
          return once(resource.resume(), "end");
        },
      };
    },
  },
  { what: "a stream in memory", kind: "stream", make: () => streamSpecimen(new PassThrough()) },
  { what: "a transform", kind: "stream", make: () => streamSpecimen(createGzip()) },
  { what: "a stream that reads a file", kind: "stream", make: () => streamSpecimen(createReadStream(file)) },
  {
    what: "a stream that writes a file",
    kind: "stream",
    make: () => streamSpecimen(createWriteStream(join(folder, "written")) as unknown as PassThrough),
  },
  {
    what: "an HTTP request of a client",
    kind: "stream",
    async make() {
      const { client: resource, cleanUp } = await httpExchange();
      const endByItself = () => new Promise((resolve) => resource.destroy().on("close", resolve));
      return { resource, hasEnded: () => resource.destroyed, endByItself, cleanUp };
    },
  },
  {
    what: "an HTTP request at the server",
    kind: "stream",
    async make() {
      const { incoming, cleanUp } = await httpExchange();
      return streamSpecimen(incoming, cleanUp);
    },
  },
  {
    what: "an HTTP response",
    kind: "stream",
    async make() {
      const { response: resource, client, cleanUp } = await httpExchange();
      const endByItself = () => {
        client.end();
        return once(resource.end("done"), "close");
      };
      return { resource, hasEnded: () => resource.closed, endByItself, cleanUp };
    },
  },
  {
    what: "an HTTP server",
    kind: "HTTP server",
    async make() {
      const { server } = await listening(createHttpServer());
      return { resource: server, hasEnded: () => !server.listening, endByItself: () => once(close(server), "close") };
    },
    mute: true,
  },
  {
    what: "an HTTP/2 server",
    kind: "HTTP server",
    async make() {
      const { server } = await listening(createHttp2Server());
      return { resource: server, hasEnded: () => !server.listening, endByItself: () => once(close(server), "close") };
    },
    mute: true,
  },
  {
    what: "a TCP server",
    kind: "server",
    async make() {
      const { server } = await listening(createServer());
      return { resource: server, hasEnded: () => !server.listening, endByItself: () => once(close(server), "close") };
    },
    mute: true,
  },
  {
    what: "an HTTP/2 session of a client",
    kind: "http2 session",
    async make() {
      const { session, client, cleanUp } = await http2Exchange();
      client.close();
      return sessionSpecimen(session, cleanUp);
    },
  },
  {
    what: "an HTTP/2 session of a server",
    kind: "http2 session",
    async make() {
      const { serverSession, client, cleanUp } = await http2Exchange();
      client.on("error", () => {}).close();
      return sessionSpecimen(serverSession, cleanUp);
    },
  },
  {
    what: "a child process",
    kind: "child process",
    make() {
      const resource = script("process.stdin.resume()");
      return {
        resource,
        hasEnded: () => resource.exitCode !== null || resource.signalCode !== null,
        endByItself: () => {
          resource.stdin?.end();
          return once(resource, "exit");
        },
      };
    },
  },
  {
    what: "a worker",
    kind: "worker",
    async make() {
      const resource = new Worker("require('node:worker_threads').parentPort.once('message', () => {})", {
        eval: true,
      });
      await once(resource, "online");
      return {
        resource,
        hasEnded: () => resource.threadId === -1,
        endByItself: () => {
          // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker, not a window
          resource.postMessage("end");
          return once(resource, "exit");
        },
      };
    },
  },
  {
    what: "a file handle",
    kind: "file handle",
    async make() {
      const resource = await open(file);
      return { resource, hasEnded: () => resource.fd === -1, endByItself: () => resource.close() };
    },
  },
  {
    what: "a datagram socket",
    kind: "datagram socket",
    async make() {
      const resource = createSocket("udp4").bind(0, "127.0.0.1");
      await once(resource, "listening");
      const hasEnded = () => {
        try {
          resource.address();
          return false;
        } catch {
          return true;
        }
      };
      return { resource, hasEnded, endByItself: () => once(resource.close(), "close") };
    },
  },
  {
    what: "a message port",
    kind: "message port",
    make() {
      const { port1: resource, port2: other } = new MessageChannel();
      let ended = false;
      other.on("close", () => (ended = true));
      return { resource, hasEnded: () => ended, endByItself: () => once(close(other), "close").then(turn) };
    },
    tellsLater: true,
    mute: true,
  },
  {
    what: "a broadcast channel",
    kind: "broadcast channel",
    make() {
      const resource = new BroadcastChannel("portreeve");
      const hasEnded = () => {
        try {
          // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel, not a window
          resource.postMessage("");
          return false;
        } catch {
          return true;
        }
      };
      return { resource, hasEnded, endByItself: () => resource.close() };
    },
    quiet: true,
    mute: true,
  },
  {
    what: "an abort controller",
    kind: "abort controller",
    make() {
      const resource = new AbortController();
      return { resource, hasEnded: () => resource.signal.aborted, endByItself: () => resource.abort() };
    },
  },
  {
    what: "a readable web stream",
    kind: "readable web stream",
    make() {
      let ended = false;
      const resource = new ReadableStream({ cancel: () => void (ended = true) });
      return { resource, hasEnded: () => ended, endByItself: () => resource.cancel().then(turn) };
    },
    mute: true,
  },
  {
    what: "a writable web stream",
    kind: "writable web stream",
    make() {
      let ended = false;
      const end = () => void (ended = true);
      const resource = new WritableStream({ abort: end, close: end });
      return { resource, hasEnded: () => ended, endByItself: () => resource.close().then(turn) };
    },
    mute: true,
  },
  {
    what: "the reader of a web stream",
    kind: "web stream reader",
    make() {
      let ended = false;
      const resource = new ReadableStream({ cancel: () => void (ended = true) }).getReader();
      return { resource, hasEnded: () => ended, endByItself: () => resource.cancel().then(turn) };
    },
    mute: true,
  },
  {
    what: "the writer of a web stream",
    kind: "web stream writer",
    make() {
      let ended = false;
      const end = () => void (ended = true);
      const resource = new WritableStream({ abort: end, close: end }).getWriter();
      return { resource, hasEnded: () => ended, endByItself: () => resource.close().then(turn) };
    },
    mute: true,
  },
  {
    what: "a line reader",
    kind: "line reader",
    make() {
      const input = new PassThrough();
      const resource = createInterface({ input });
      let ended = false;
      resource.on("close", () => (ended = true));
      return { resource, hasEnded: () => ended, endByItself: () => once(input.end() && resource, "close") };
    },
  },
  {
    what: "a file system watcher",
    kind: "file system watcher",
    make() {
      const resource = watch(folder);
      let ended = false;
      resource.on("close", () => (ended = true));
      return { resource, hasEnded: () => ended, endByItself: () => once(close(resource), "close") };
    },
    tellsLater: true,
    mute: true,
  },
  {
    what: "a directory",
    kind: "directory",
    async make() {
      const resource = await opendir(folder);
      const hasEnded = () => {
        try {
          resource.readSync();
          return false;
        } catch {
          return true;
        }
      };
      return {
        resource,
        hasEnded,
        async endByItself() {
          for await (const entry of resource) assert.ok(entry.name);
        },
      };
    },
    quiet: true,
    mute: true,
  },
  {
    what: "a timeout of Node",
    kind: "Node timer",
    make() {
      const timer = setTimeout(() => {}, 1_000_000);
      return nodeTimerSpecimen(timer, () => clearTimeout(timer));
    },
    quiet: true,
  },
  {
    what: "an interval of Node",
    kind: "Node timer",
    make() {
      const timer = setInterval(() => {}, 1_000_000);
      return nodeTimerSpecimen(timer, () => clearInterval(timer));
    },
    quiet: true,
  },
  {
    what: "an immediate of Node",
    kind: "Node timer",
    make() {
      const timer = setImmediate(() => {});
      return nodeTimerSpecimen(timer, () => clearImmediate(timer));
    },
    quiet: true,
  },
  {
    what: "a timer",
    kind: "timer",
    make() {
      const resource = startTimer(startTimerManager(), 1_000_000, () => {});
      return { resource, hasEnded: () => !resource.active, endByItself: () => resource.cancel() };
    },
    quiet: true,
  },
  {
    what: "an object with Symbol.asyncDispose",
    kind: "async disposable",
    make() {
      const resource = {
        disposed: false,
        async [Symbol.asyncDispose]() {
          await turn();
          resource.disposed = true;
        },
      };
      return { resource, hasEnded: () => resource.disposed, endByItself: () => resource[Symbol.asyncDispose]() };
    },
    quiet: true,
  },
  {
    what: "an object with Symbol.dispose",
    kind: "disposable",
    make() {
      const resource = {
        disposed: false,
        [Symbol.dispose]() {
          resource.disposed = true;
        },
      };
      return { resource, hasEnded: () => resource.disposed, endByItself: () => resource[Symbol.dispose]() };
    },
    quiet: true,
  },
  {
    what: "an emitter that says 'close'",
    kind: "emitter of 'close'",
    make() {
      let ended = false;
      class Closable extends EventEmitter {
        close() {
          ended = true;
          process.nextTick(() => this.emit("close"));
        }
      }
      const resource = new Closable();
      return { resource, hasEnded: () => ended, endByItself: () => once(close(resource), "close") };
    },
    mute: true,
  },
];
