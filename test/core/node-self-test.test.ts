import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { Server, ServerResponse, createServer } from "node:http";
import { Http2ServerRequest, createServer as createHttp2Server } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import { Server as NetServer, Socket } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { TLSSocket } from "node:tls";
import { missingInternals } from "../../src/core/node-self-test.ts";
import { hideSessions } from "../support/hidden-sessions.ts";
import { compiledRoot } from "../support/paths.ts";

/** Makes a property of a prototype look as if Node did not have it. @returns how to undo it */
function hide(prototype: object, property: string | symbol, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(prototype, property);
  Object.defineProperty(prototype, property, { configurable: true, get: () => value, set() {} });
  return () => {
    if (before === undefined) Reflect.deleteProperty(prototype, property);
    else Object.defineProperty(prototype, property, before);
  };
}

/** What all handles of TCP inherit from first. */
function handlePrototype(): object {
  const socket = new Socket().on("error", () => {}).connect({ host: "127.0.0.1", port: 1 });
  const handle = Reflect.get(socket, "_handle") as object;
  socket.destroy();
  return Object.getPrototypeOf(handle) as object;
}

/** Hides what servers have under a symbol that Node keeps to itself. */
function hideOnServers(description: string, prototype: object = Server.prototype): () => void {
  const server = createServer();
  server.emit("listening");
  const symbol = Object.getOwnPropertySymbols(server).find((own) => own.description === description);
  server.close();
  assert.ok(symbol);
  return hide(prototype, symbol, undefined);
}

const hidden: Readonly<Record<string, () => () => unknown>> = {
  "socket._handle.writeQueueSize": () => hide(handlePrototype(), "writeQueueSize", undefined),
  "socket._handle.bytesWritten": () => hide(handlePrototype(), "bytesWritten", undefined),
  "tlsSocket._parent": () => hide(TLSSocket.prototype, "_parent", null),
  "response._header": () => hide(ServerResponse.prototype, "_header", undefined),
  "socket._httpMessage": () => hide(Socket.prototype, "_httpMessage", undefined),
  "response._keepAliveTimeout": () => hide(ServerResponse.prototype, "_keepAliveTimeout", undefined),
  "socket.parser": () => hide(Socket.prototype, "parser", undefined),
  "process._getActiveHandles and socket._server": () => hide(process, "_getActiveHandles", undefined),
  "the connections of an http.Server": () => hideOnServers("http.server.connections"),
  "tlsSocket._emitTLSError": () => hide(TLSSocket.prototype, "_emitTLSError", undefined),
  "the session of a socket of HTTP/2, and its streams": hideSessions,
  "the settings of an http2 server": () => {
    const server = createHttp2Server();
    const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === "options");
    assert.ok(symbol);
    return hide(Object.getPrototypeOf(server) as object, symbol, {});
  },
  "the request that node:http2 hangs on a stream": () => {
    const stream = new PassThrough();
    const request = new Http2ServerRequest(stream as unknown as ServerHttp2Stream, {}, {}, []);
    const key = Object.getOwnPropertySymbols(stream).find((own) => Reflect.get(stream, own) === request);
    assert.ok(key);
    return hide(PassThrough.prototype, key, undefined);
  },
  "the asynchronous id of a server": () => hideOnServers("async_id_symbol", NetServer.prototype),
};

test("this Node has every private property that is read", () => {
  assert.deepEqual(missingInternals(), []);
});

for (const [property, hideIt] of Object.entries(hidden)) {
  test(`that a Node lacks ${property} is found out, and what is worse then is said`, () => {
    const restore = hideIt();
    const missing = missingInternals();
    restore();
    assert.deepEqual(
      missing.map((one) => one.property),
      [property],
    );
    assert.notEqual(missing[0]?.effect, "");
    assert.deepEqual(missingInternals(), []);
  });
}

test("a program on a Node that lacks some is warned once, by name, and is served all the same", () => {
  const script = `
    import { once } from "node:events";
    import { createServer, get } from "node:http";
    process._getActiveHandles = undefined;
    const { manage } = await import(process.argv[1] + "/src/index.js");
    for (let i = 0; i < 2; i++) {
      const server = createServer((request, response) => response.end("served"));
      const managed = manage(server);
      await once(server.listen(0, "127.0.0.1"), "listening");
      const [response] = await once(get({ port: server.address().port, host: "127.0.0.1", agent: false }), "response");
      let body = "";
      for await (const text of response.setEncoding("utf8")) body += text;
      console.log(body, (await managed.drain()).cut.length);
    }
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script, compiledRoot], {
    encoding: "utf8",
  });
  assert.equal(stdout, "served 0\nserved 0\n");
  assert.equal(stderr.match(/PortreeveNodeWarning/g)?.length, 1);
  assert.match(stderr, /lacks .*process\._getActiveHandles and socket\._server \(connections that are older/);
});

test("no TLS socket and no session of HTTP/2 is made for a server that has no use for what they tell", () => {
  const script = `
    import { createHook } from "node:async_hooks";
    import { EventEmitter, once } from "node:events";
    import { createServer } from "node:http";
    import { createServer as createHttp2Server } from "node:http2";
    import { createServer as createTlsServer } from "node:tls";
    const { manage } = await import(process.argv[1] + "/src/index.js");
    const made = [];
    createHook({ init: (_, type) => made.push(type) }).enable();
    const { emit } = EventEmitter.prototype;
    EventEmitter.prototype.emit = function (event, ...args) {
      made.push(event);
      return emit.call(this, event, ...args);
    };
    const counted = (what) => {
      const types = made.splice(0);
      console.log(what, types.includes("TLSWRAP"), types.includes("session"));
    };
    manage(createServer());
    counted("http");
    manage(createHttp2Server());
    counted("http2");
    manage(createTlsServer());
    counted("tls");
    const listening = createHttp2Server().listen(0, "127.0.0.1");
    await once(listening, "listening");
    const managed = manage(listening);
    counted("http2 that listens");
    await managed.close();
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script, compiledRoot], {
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.equal(stderr, "");
  assert.equal(stdout, "http false false\nhttp2 false false\ntls true false\nhttp2 that listens false true\n");
});

test("what only a session and a stream of a client have is tried on the first that comes, and said once where a Node lacks it", () => {
  const script = `
    import { once } from "node:events";
    import { connect, createServer } from "node:http2";
    import { connect as connectTcp, createServer as createTcpServer } from "node:net";
    const { manage } = await import(process.argv[1] + "/src/index.js");
    const serve = async (server, clients) => {
      await once(server.listen(0, "127.0.0.1"), "listening");
      for (let i = 0; i < clients; i++) await ask(connect("http://127.0.0.1:" + server.address().port));
    };
    const ask = async (client) => {
      let body = "";
      for await (const text of client.request({ ":path": "/" }).setEncoding("utf8")) body += text;
      client.close();
      console.log(body);
    };
    const handleOf = (one) => one[Object.getOwnPropertySymbols(one).find(({ description }) => description === "kHandle")];
    if (process.argv[2] === "lacking") {
      // A session is made before anybody hears of it, and so is a stream, which is then told of in the next tick.
      const { nextTick } = process;
      process.nextTick = (run, ...args) => {
        const [session, event, stream] = args;
        if (event === "stream") Object.defineProperty(handleOf(stream), "bytesWritten", { value: undefined });
        return nextTick(run, ...args);
      };
      const bare = createServer((request, response) => response.end("bare"));
      bare.on("session", (session) => {
        Object.defineProperty(Object.getPrototypeOf(handleOf(session)), "hasPendingData", { value: () => undefined });
      });
      await serve(bare, 1);
      bare.close();
    }
    const server = createServer((request, response) => response.end("served"));
    const managed = manage(server);
    if (process.argv[2] === "connecting") {
      const back = createTcpServer().listen(0, "127.0.0.1");
      await once(back, "listening");
      server.emit("connection", connectTcp(back.address().port, "127.0.0.1"));
      const [socket] = await once(back, "connection");
      back.close();
      await ask(connect("http://back", { createConnection: () => socket }));
    }
    await serve(server, 2);
    await managed.drain();
  `;
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ["--input-type=module", "-e", script, compiledRoot, ...args], {
      encoding: "utf8",
      timeout: 20_000,
    });
  const whole = run();
  assert.deepEqual([whole.stdout, whole.stderr], ["served\nserved\n", ""]);
  // The first session is on a socket that the server itself has opened, and that is not connected yet.
  const early = run("connecting");
  assert.deepEqual([early.stdout, early.stderr], ["served\nserved\nserved\n", ""]);
  const { stdout, stderr } = run("lacking");
  assert.equal(stdout, "bare\nserved\nserved\n");
  assert.equal(stderr.match(/PortreeveNodeWarning/g)?.length, 2);
  assert.match(stderr, /lacks .*what an http2 session has pending \(one that nghttp2 has ended/);
  assert.match(stderr, /lacks .*the bytes that an http2 stream has sent \(a stream on which/);
});
