import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpsServer } from "node:https";
import { connect as netConnect, createServer as createNetServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { TLSSocket, connect as tlsConnect, createServer as createTlsServer } from "node:tls";
import type { TlsOptions } from "node:tls";
import { connectionOf, manage } from "../../../src/index.ts";
import type { Connection, Managed, SafetyLimitsOptions } from "../../../src/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { certificate } from "../../support/certificate.ts";
import { connectTo } from "../../support/tcp-client.ts";
import type { TcpClient } from "../../support/tcp-client.ts";
import { get, settle, until } from "../http1/web.ts";

const kinds = ["tls", "https"] as const;
type Kind = (typeof kinds)[number];

interface Secure {
  server: Server;
  managed: Managed;
  clock: ManualClock;
  port: number;
  errors: Error[];
  connect(): Promise<TcpClient>;
  /** A client that shakes hands and asks something, and the answer. */
  ask(): Promise<string>;
  /** How many sockets the server has, whoever owns them. */
  open(): Promise<number>;
}

async function start(
  t: TestContext,
  kind: Kind,
  { safetyLimits = {}, ...options }: TlsOptions & { safetyLimits?: SafetyLimitsOptions } = {},
): Promise<Secure> {
  const tls = { ...(await certificate()), ...options };
  const server =
    kind === "tls"
      ? createTlsServer(tls, (socket) => void socket.on("error", () => {}).pipe(socket))
      : createHttpsServer(tls, (_request, response) => response.end("hello"));
  const clock = new ManualClock();
  const errors: Error[] = [];
  const managed = manage(server, { clock, safetyLimits, onError: (error) => errors.push(error) });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => managed.close());
  const { port } = server.address() as AddressInfo;
  return {
    server,
    managed,
    clock,
    port,
    errors,
    connect: () => connectTo(t, port),
    async ask() {
      const socket = tlsConnect({ port, host: "127.0.0.1", rejectUnauthorized: false });
      let received = "";
      socket.setEncoding("utf8").on("data", (text: string) => (received += text));
      socket.write(kind === "tls" ? "hello" : get("/"));
      await until(() => received.endsWith("hello"));
      socket.end();
      await once(socket, "close");
      return received;
    },
    open: () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count))),
  };
}

/** The first bytes of a client that is honest. */
async function clientHello(): Promise<Buffer> {
  const server = createNetServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = tlsConnect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [Socket];
  const [bytes] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  client.destroy();
  server.close();
  return bytes;
}

/** The one connection there is. */
async function only({ managed }: Secure): Promise<Connection> {
  await until(() => managed.connections.size === 1);
  const [connection] = managed.connections;
  assert.ok(connection);
  return connection;
}

/** A program that hears of failed handshakes and leaves their sockets open. */
function listenOnly({ server }: Secure): Error[] {
  const heard: Error[] = [];
  server.on("tlsClientError", (error: Error) => heard.push(error));
  server.on("clientError", (error: Error) => heard.push(error));
  return heard;
}

for (const kind of kinds) {
  for (const listens of [false, true]) {
    const who = `a client of a ${kind} server${listens ? " whose listeners leave failed sockets open" : ""}`;

    test(`${who} that sends nothing, or half a ClientHello, is closed at handshakeTimeout and leaves no socket`, async (t) => {
      const secure = await start(t, kind);
      if (listens) listenOnly(secure);
      const hello = await clientHello();
      for (const bytes of [Buffer.alloc(0), hello.subarray(0, 1), hello.subarray(0, hello.length / 2)]) {
        const client = await secure.connect();
        client.write(bytes);
        const connection = await only(secure);
        await until(() => connection.bytesReceived === bytes.length);
        assert.equal(connection.phase, "handshaking");
        secure.clock.advance(9900);
        assert.equal(connection.closeReason, null);
        secure.clock.advance(100);
        assert.equal(await client.ended, "FIN");
        client.end();
        assert.equal(await connection.closed, "handshake-timeout");
        assert.equal(client.received, "");
        await until(() => secure.managed.connections.size === 0);
        assert.equal(await secure.open(), 0);
      }
      assert.match(await secure.ask(), /hello$/);
      assert.deepEqual(secure.errors, []);
    });

    test(`${who} that sends garbage is a protocol error and leaves no socket`, async (t) => {
      const secure = await start(t, kind);
      const heard = listens ? listenOnly(secure) : [];
      const hello = await clientHello();
      const broken = Buffer.from(hello);
      broken.fill(0xff, 5);
      for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.alloc(1000, 0xff), broken]) {
        const client = await secure.connect();
        const closing = only(secure).then(({ closed }) => closed);
        client.write(bytes);
        await client.ended;
        client.end();
        assert.equal(await closing, "protocol-error");
        await until(() => secure.managed.connections.size === 0);
        assert.equal(await secure.open(), 0);
      }
      if (listens) assert.equal(heard.length, kind === "tls" ? 3 : 6);
      assert.match(await secure.ask(), /hello$/);
      assert.deepEqual(secure.errors, []);
    });
  }

  test(`a slow client of a ${kind} server has until handshakeTimeout, and not a moment of it is taken by its bytes`, async (t) => {
    const secure = await start(t, kind);
    const server = createNetServer({ allowHalfOpen: true });
    t.after(() => void server.close());
    let release!: () => void;
    server.on("connection", (inner: Socket) => {
      const outer = netConnect(secure.port, "127.0.0.1");
      t.after(() => outer.destroy());
      inner.once("data", (bytes: Buffer) => {
        outer.write(bytes.subarray(0, 10));
        release = () => {
          outer.write(bytes.subarray(10));
          inner.pipe(outer).pipe(inner);
        };
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const client = tlsConnect({
      port: (server.address() as AddressInfo).port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
    });
    client.on("error", () => {});
    t.after(() => client.destroy());
    const connection = await only(secure);
    await until(() => connection.bytesReceived === 10);
    secure.clock.advance(9900);
    release();
    await once(client, "secureConnect");
    await until(() => connection.phase !== "handshaking");
    secure.clock.advance(5000);
    assert.equal(connection.closeReason, null);
  });

  test(`in a drain the silent handshakes of a ${kind} server end at once`, async (t) => {
    const secure = await start(t, kind);
    const hello = await clientHello();
    const clients = [await secure.connect(), await secure.connect()];
    clients[1]?.write(hello.subarray(0, 20));
    await until(() => secure.managed.connections.size === 2);
    await settle();
    const drained = secure.managed.drain({ grace: "25s" });
    for (const client of clients) {
      assert.equal(await client.ended, "FIN");
      client.end();
    }
    const report = await drained;
    assert.deepEqual([report.idle, report.cut], [2, []]);
  });

  test(`a ${kind} server whose own handshakeTimeout is stricter keeps it, and its socket goes`, async (t) => {
    const secure = await start(t, kind, { handshakeTimeout: 20 });
    listenOnly(secure);
    const client = await secure.connect();
    const connection = await only(secure);
    await client.ended;
    client.end();
    assert.equal(await connection.closed, "handshake-timeout");
    assert.equal(await secure.open(), 0);
  });

  test(`where nothing leads from a TLS socket to the one below, those of a ${kind} server are told by their addresses`, async (t) => {
    // What an engine would be like that has no such property.
    Object.defineProperty(TLSSocket.prototype, "_parent", { configurable: true, get: () => null, set() {} });
    t.after(() => Reflect.deleteProperty(TLSSocket.prototype, "_parent"));
    const secure = await start(t, kind, { safetyLimits: { idleTimeout: "30s", requestReadTimeout: "20s" } });
    const silent = await secure.connect();
    const [first] = await Promise.all([only(secure), until(() => secure.managed.connections.size === 1)]);
    const seen: (Connection | undefined)[] = [];
    secure.server.on("secureConnection", (socket: TLSSocket) => seen.push(connectionOf(socket)));
    assert.match(await secure.ask(), /hello$/);
    assert.equal(seen.length, 1);
    // One connection, of both layers.
    assert.notEqual(seen[0]?.raw ?? null, null);
    assert.notEqual(seen[0], first);
    assert.equal(first.phase, "handshaking");
    await until(() => secure.managed.connections.size === 1);
    const garbage = await secure.connect();
    garbage.write("GET / HTTP/1.1\r\n\r\n");
    await garbage.ended;
    garbage.end();
    await until(() => secure.managed.connections.size === 1);
    secure.clock.advance(10_000);
    assert.equal(await silent.ended, "FIN");
    silent.end();
    assert.equal(await first.closed, "handshake-timeout");
    assert.equal(await secure.open(), 0);
  });
}
