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
import { KernelTable } from "../../src/connection/kernel-table.ts";
import { makeSafetyLimits, makeUnlimitedSafetyLimits, manage } from "../../src/index.ts";
import type { ManageOptions, Managed, SafetyLimitsOptions } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { certificate } from "../support/certificate.ts";
import type { KeyPair } from "../support/certificate.ts";
import { kernelAnswers, kernelIsMute, seenByClient, socketsBetween } from "../support/kernel.ts";
import { PacedClient } from "../support/paced-client.ts";
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
async function ask(t: TestContext, protocol: Protocol, options: ManageOptions): Promise<Scene> {
  const { managed, clock, port } = await serveLarge(t, protocol, options);
  const where = { port, host: "127.0.0.1", rejectUnauthorized: false };
  const socket = isSecure(protocol) ? connectTls({ ...where, ALPNProtocols: [alpn(protocol)] }) : connect(where);
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, isSecure(protocol) ? "secureConnect" : "connect");
  socket.pause();
  socket.write(isHttp2(protocol) ? askInFrames : get("/"));
  return { managed, clock, port, socket };
}

type Large = Omit<Scene, "socket">;

async function serveLarge(t: TestContext, protocol: Protocol, options: ManageOptions): Promise<Large> {
  const clock = new ManualClock();
  const server = servers[protocol](await certificate());
  const managed = manage(server, { clock, ...options });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => managed.close());
  return { managed, clock, port: (server.address() as AddressInfo).port };
}

const isSecure = (protocol: Protocol): boolean => protocol === "https" || protocol === "h2";
const isHttp2 = (protocol: Protocol): boolean => protocol === "h2" || protocol === "h2c";
const alpn = (protocol: Protocol): string => (isHttp2(protocol) ? "h2" : "http/1.1");

/** A client that has asked for 60 MB, and reads no more than it is told to. */
async function askSlowly(
  t: TestContext,
  protocol: Protocol,
  safetyLimits: SafetyLimitsOptions,
): Promise<{ scene: Large; client: PacedClient }> {
  const scene = await serveLarge(t, protocol, { safetyLimits });
  const client = new PacedClient(scene.port);
  t.after(() => client.destroy());
  const socket = isSecure(protocol)
    ? connectTls({ socket: client, rejectUnauthorized: false, ALPNProtocols: [alpn(protocol)] })
    : client;
  socket.on("error", () => {}).resume();
  if (socket !== client) await once(socket, "secureConnect");
  client.reads(0);
  socket.write(isHttp2(protocol) ? askInFrames : get("/"));
  return { scene, client };
}

function frame(type: number, flags: number, stream: number, payload: readonly number[]): Buffer {
  return Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream, ...payload]);
}

const widest = [0x7f, 0xff, 0xff, 0xff];
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** GET / of HTTP/2 (RFC 9113), and before it what begins a session: settings, and the acknowledgement of the server's. */
const ask60 = frame(1, 5, 1, [0x82, 0x84, 0x87, 0x41, 1, 0x78]);
const greeting = Buffer.concat([preface, frame(4, 0, 0, []), frame(4, 1, 0, [])]);
/** The same by a client that lets more be sent before it reads than any kernel takes. */
const askInFrames = Buffer.concat([
  preface,
  // SETTINGS_INITIAL_WINDOW_SIZE, the acknowledgement of the server's settings, WINDOW_UPDATE of the connection.
  frame(4, 0, 0, [0, 4, ...widest]),
  frame(4, 1, 0, []),
  frame(8, 0, 0, [0x7f, 0xff, 0, 0]),
  ask60,
]);

for (const protocol of protocols) {
  test(
    `${protocol}: a client that stops reading 60 MB is reset at its deadline, and the kernel keeps nothing`,
    { skip: kernelIsMute, timeout: 30_000 },
    async (t) => {
      const { managed, clock, port, socket } = await ask(t, protocol, {
        safetyLimits: { responseSendTimeout: "4s", minSendRate: 0 },
      });
      const own = socket.localPort ?? 0;
      await until(() => [...managed.connections].some(({ unsentBytes }) => unsentBytes > 0));
      await until(() => socketsBetween(own, port).some(({ unsent }) => unsent > 0));
      const [connection] = managed.connections;
      assert.ok(connection !== undefined);
      while (connection.closeReason === null && clock.now() < 10_000) {
        clock.advance(50);
        await kernelAnswers();
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

/**
 * Reads at a pace, in bytes a second, for so many seconds or until the server has ended.
 * @returns why the server has, or null
 */
async function read(
  { managed, clock }: Large,
  client: PacedClient,
  pace: number,
  seconds: number,
): Promise<string | null | undefined> {
  await until(() => [...managed.connections].some(({ unsentBytes }) => unsentBytes > 0));
  const [connection] = managed.connections;
  // The slower it is, the longer nothing is to be seen.
  const step = Math.min(2500, 250 * Math.ceil(40_000 / pace));
  for (let time = step; time <= seconds * 1000 && managed.connections.size > 0; time += step) {
    client.reads((step / 1000) * pace);
    await until(() => client.hasRead || managed.connections.size === 0);
    for (let i = 0; i < step; i += 250) clock.advance(250);
    await kernelAnswers();
    await settle();
  }
  return connection?.closeReason;
}

/** The default of minSendRate. */
const { bytesPerSecond: usual } = makeSafetyLimits().minSendRate;

interface HonestClient {
  readonly name: string;
  /** Bytes a second. */
  readonly pace: number;
  readonly seconds: number;
  readonly limits?: SafetyLimitsOptions;
  readonly over: readonly Protocol[];
}

const honest: readonly HonestClient[] = [
  {
    name: "by 1 kB a second more than the 20 kB that it must",
    pace: 21_000,
    seconds: 45,
    limits: { minSendRate: 20_000 },
    over: protocols,
  },
  {
    // The kernel of a client that reads so slowly says nothing for more than a minute.
    name: `by 1 kB a second more than the ${usual} B that it must, where responseSendTimeout lets it`,
    pace: usual + 1000,
    seconds: 200,
    limits: { responseSendTimeout: "5m" },
    over: ["http", "h2"],
  },
  { name: "by 10 kB a second, within the default limits", pace: 10_000, seconds: 75, over: ["https", "h2c"] },
];

for (const { name, pace, seconds, limits, over } of honest) {
  for (const protocol of over) {
    test(
      `${protocol}: a client that reads 60 MB steadily, ${name}, lives on`,
      { skip: kernelIsMute, timeout: 60_000 },
      async (t) => {
        const { scene, client } = await askSlowly(t, protocol, limits ?? {});
        assert.equal(await read(scene, client, pace, seconds), null, `at ${scene.clock.now()} ms`);
      },
    );
  }
}

for (const protocol of protocols) {
  test(
    `${protocol}: a client that reads half as fast as minSendRate is reset`,
    { skip: kernelIsMute, timeout: 60_000 },
    async (t) => {
      const { scene, client } = await askSlowly(t, protocol, { minSendRate: 20_000 });
      assert.equal(await read(scene, client, 10_000, 60), "send-rate");
      const { grace } = makeSafetyLimits().minSendRate;
      assert.ok(scene.clock.now() >= grace && scene.clock.now() < 30_000, `at ${scene.clock.now()} ms`);
    },
  );
}

interface Curiosity {
  readonly name: string;
  readonly options: ManageOptions;
  readonly asks: boolean;
}

const curiosities: readonly Curiosity[] = [
  {
    name: "is not asked about a deaf client where no limit is there to end it",
    options: { safetyLimits: makeUnlimitedSafetyLimits() },
    asks: false,
  },
  {
    name: "is asked on where maxBufferedBytes is the only limit, and little waits for longer than it grants",
    options: { safetyLimits: makeUnlimitedSafetyLimits({ maxBufferedBytes: 100 * size }) },
    asks: true,
  },
  {
    name: "is asked on where limits only observe, though one was exceeded",
    options: { safetyLimits: { maxBufferedBytes: 1000, minSendRate: 0 }, observeOnly: true },
    asks: true,
  },
];

for (const { name, options, asks } of curiosities) {
  test(`the kernel ${name}`, async (t) => {
    const { clock, managed, socket } = await ask(t, "http", options);
    const { mock } = t.mock.method(KernelTable.prototype, "ask");
    socket.pause();
    await until(() => [...managed.connections].some(({ unsentBytes }) => unsentBytes > 0));
    const pass = async (seconds: number): Promise<number> => {
      mock.resetCalls();
      for (let time = 0; time < seconds * 1000; time += 250) {
        clock.advance(250);
        await kernelAnswers();
        await settle();
      }
      return mock.callCount();
    };
    assert.equal((await pass(45)) > 0, asks);
    assert.equal((await pass(10)) > 0, asks);
    assert.equal(managed.connections.size, 1);
  });
}

/** What an ordinary client of HTTP/2 opens its windows by, when it has read as much: half of what they are at first. */
const halfWindow = 32_768;

for (const protocol of ["h2", "h2c"] as const) {
  const pace = usual + 1000;
  test(
    `${protocol}: a client that reads by ${pace} B/s lives on within the default limits and its own windows`,
    { timeout: 60_000 },
    async (t) => {
      const { managed, clock, port } = await serveLarge(t, protocol, {});
      const options = { port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] };
      const socket = isSecure(protocol) ? connectTls(options) : connect(options);
      t.after(() => socket.destroy());
      let received = 0;
      socket.on("error", () => {}).on("data", ({ length }: Buffer) => (received += length));
      await once(socket, isSecure(protocol) ? "secureConnect" : "connect");
      socket.write(Buffer.concat([greeting, ask60]));
      await until(() => received >= 2 * halfWindow - 1);
      while (clock.now() < 300_000) {
        for (let time = 0; time < (halfWindow / pace) * 1000; time += 250) {
          clock.advance(250);
          await settle();
        }
        const before = received;
        for (const stream of [0, 1]) socket.write(frame(8, 0, stream, [0, 0, halfWindow >> 8, 0]));
        await until(() => received >= before + halfWindow || managed.connections.size === 0);
        assert.equal(managed.connections.size, 1, `at ${clock.now()} ms`);
      }
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
      const { managed, clock, socket } = await ask(t, protocol, { safetyLimits: limits });
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
