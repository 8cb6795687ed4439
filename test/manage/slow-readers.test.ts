/**
 * Clients that read slowly or not at all: the deaf are reset at their deadline, and the kernel keeps nothing for them; those
 * that keep the pace are served to the end.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import type { RequestListener } from "node:http";
import { createSecureServer, createServer as createHttp2 } from "node:http2";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { connect } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { manage } from "../../src/index.ts";
import type { Managed, SafetyLimitsOptions } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { certificate } from "../support/certificate.ts";
import type { KeyPair } from "../support/certificate.ts";
import { kernelIsMute, seenByClient, socketsBetween } from "../support/kernel.ts";
import { get, settle, until } from "../protocols/http1/web.ts";

const size = 60 * 2 ** 20;
const listener: RequestListener = (_request, response) => {
  response.on("error", () => {}).end(Buffer.alloc(size));
};

type Protocol = "http" | "https" | "h2" | "h2c";
const protocols: readonly Protocol[] = ["http", "https", "h2", "h2c"];

const servers: Readonly<Record<Protocol, (pair: KeyPair) => Server>> = {
  http: () => createHttp(listener),
  https: (pair) => createHttps(pair, listener),
  h2: (pair) => createSecureServer(pair, listener as never),
  h2c: () => createHttp2(listener as never),
};

interface Scene {
  readonly managed: Managed;
  readonly clock: ManualClock;
  readonly port: number;
  readonly socket: Socket;
}

/** A client that has asked for 60 MB, and has not begun to read. */
async function ask(t: TestContext, protocol: Protocol, safetyLimits: SafetyLimitsOptions): Promise<Scene> {
  const clock = new ManualClock();
  const server = servers[protocol](await certificate());
  const managed = manage(server, { clock, safetyLimits });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => managed.close());
  const { port } = server.address() as AddressInfo;
  const isSecure = protocol === "https" || protocol === "h2";
  const isHttp2 = protocol === "h2" || protocol === "h2c";
  const options = { port, host: "127.0.0.1", rejectUnauthorized: false };
  const socket = isSecure ? connectTls({ ...options, ALPNProtocols: [isHttp2 ? "h2" : "http/1.1"] }) : connect(options);
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, isSecure ? "secureConnect" : "connect");
  socket.pause();
  socket.write(isHttp2 ? askInFrames : get("/"));
  return { managed, clock, port, socket };
}

function frame(type: number, flags: number, stream: number, payload: readonly number[]): Buffer {
  return Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream, ...payload]);
}

const widest = [0x7f, 0xff, 0xff, 0xff];
/** GET / of HTTP/2 (RFC 9113), by a client that lets more be sent before it reads than any kernel takes. */
const askInFrames = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  // SETTINGS_INITIAL_WINDOW_SIZE, the acknowledgement of the server's settings, WINDOW_UPDATE of the connection, HEADERS.
  frame(4, 0, 0, [0, 4, ...widest]),
  frame(4, 1, 0, []),
  frame(8, 0, 0, [0x7f, 0xff, 0, 0]),
  frame(1, 5, 1, [0x82, 0x84, 0x87, 0x41, 1, 0x78]),
]);

for (const protocol of protocols) {
  test(
    `${protocol}: a client that stops reading 60 MB is reset at its deadline, and the kernel keeps nothing`,
    { skip: kernelIsMute, timeout: 30_000 },
    async (t) => {
      const { managed, clock, port, socket } = await ask(t, protocol, { responseSendTimeout: "4s", minSendRate: 0 });
      const own = socket.localPort ?? 0;
      await until(() => [...managed.connections].some(({ unsentBytes }) => unsentBytes > 0));
      await until(() => socketsBetween(own, port).some(({ unsent }) => unsent > 0));
      const [connection] = managed.connections;
      assert.ok(connection !== undefined);
      while (connection.closeReason === null && clock.now() < 10_000) {
        clock.advance(50);
        await settle();
      }
      assert.equal(connection.closeReason, "send-timeout");
      assert.ok(clock.now() >= 4000 && clock.now() <= 5000, `at ${clock.now()} ms`);
      await connection.closed;
      assert.equal(seenByClient(own, port), "RST");
      assert.deepEqual(
        socketsBetween(own, port).filter(({ unsent }) => unsent > 0),
        [],
      );
    },
  );
}

for (const protocol of ["http", "https"] as const) {
  // What a client takes is seen when the kernel has room for more, which is in steps of some megabytes on loopback: a
  // period asks for several of them.
  const least = 400_000;
  const pace = (least * 4) / 3;
  test(
    `${protocol}: a client that reads a third faster than minSendRate gets all of it`,
    { timeout: 60_000 },
    async (t) => {
      const limits = { minSendRate: { bytesPerSecond: least, grace: "30s" }, maxBufferedBytes: Infinity };
      const { managed, clock, socket } = await ask(t, protocol, limits);
      let taken = 0;
      socket.on("data", ({ length }: Buffer) => (taken += length));
      socket.pause();
      await until(() => [...managed.connections].some(({ unsentBytes }) => unsentBytes > 0));
      const started = clock.now();
      while (taken < size) {
        const due = Math.min(size, ((clock.now() - started) / 1000) * pace);
        if (taken < due) {
          socket.resume();
          await until(() => taken >= due || managed.connections.size === 0);
          socket.pause();
        }
        assert.equal(managed.connections.size, 1, `after ${taken} bytes in ${clock.now() - started} ms`);
        clock.advance(250);
        await settle();
      }
      assert.ok(clock.now() - started > 100_000, "it took its time");
    },
  );
}
