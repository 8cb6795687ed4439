/**
 * Limits on servers of node:net and node:tls, whose bytes mean nothing to us: the first byte, silence, bytes that the client
 * does not take, and age. How each ends: when, in which manner, with which reason, limit and phase. The handshake of TLS is in
 * handshakes.test.ts.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createNet } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { createServer as createTls } from "node:tls";
import { manage } from "../../../src/index.ts";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import type { Connection } from "../../../src/connection/connection.ts";
import { certificate } from "../../support/certificate.ts";
import { pass, settle, until } from "../../support/rounds.ts";
import { TcpClient, connectTo } from "../../support/tcp-client.ts";
import { deafClients, off } from "./deaf-clients.ts";
import { endsAfter, endsAs, listenForEndings, look, onlyOne, resolution, secureSocket, seesEnd } from "./scene.ts";
import type { Stage } from "./scene.ts";

const kinds = ["net", "tls"] as const;
type Kind = (typeof kinds)[number];

interface SocketScene extends Stage {
  /** The server's end of each client. */
  readonly sockets: readonly Socket[];
  dial(): Promise<TcpClient>;
  /** The one connection there is. */
  only(): Connection;
  /** Waits until the server has sent and received so many bytes more, and has been looked at. */
  passes(act: () => unknown, received: number, sent: number): Promise<void>;
  pass(ms: number): Promise<void>;
}

/** More than the kernel takes for a client that does not read. */
const big = Buffer.alloc(32 * 2 ** 20);

/** What the servers do: they echo, but for "big". */
function converse(socket: Socket): void {
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => socket.write(bytes.toString() === "big" ? big : bytes));
}

async function startSockets(t: TestContext, kind: Kind, limits: SafetyLimitsOptions): Promise<SocketScene> {
  const clock = new ManualClock();
  const errors: Error[] = [];
  const sockets: Socket[] = [];
  const serve = (socket: Socket): void => {
    sockets.push(socket);
    converse(socket);
  };
  const server = kind === "net" ? createNet(serve) : createTls(await certificate(), serve);
  const managed = manage(server, { clock, safetyLimits: limits, onError: (error) => errors.push(error) });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => managed.close());
  const { port } = server.address() as AddressInfo;
  const only = (): Connection => onlyOne(managed.connections);
  return {
    port,
    clock,
    errors,
    sockets,
    async dial() {
      const client = kind === "net" ? await connectTo(t, port) : new TcpClient(await secureSocket(t, port));
      await until(() => sockets.length === 1);
      return client;
    },
    only,
    async passes(act, received, sent) {
      const before = { received: only().bytesReceived, sent: only().bytesOut };
      act();
      await until(() => only().bytesReceived >= before.received + received && only().bytesOut >= before.sent + sent);
      await pass(clock, look);
    },
    pass: (ms) => pass(clock, ms),
    endings: listenForEndings(t, clock),
  };
}

interface Row {
  readonly name: string;
  readonly limits: SafetyLimitsOptions;
  /** Brings the connection to where the deadline counts. */
  begin(scene: SocketScene, client: TcpClient): Promise<void>;
  /** Milliseconds from then. */
  readonly after: number;
  readonly slack?: number;
  readonly manner: "FIN" | "RST";
  /** What the client has got; of one that does not read nothing is asked. */
  readonly received?: string;
  readonly ending: string;
}

/** Says a word, and is answered with it. */
async function talk(scene: SocketScene, client: TcpClient, word = "hello"): Promise<void> {
  const wanted = client.received + word;
  await scene.passes(() => client.write(word), word.length, word.length);
  await until(() => client.received === wanted);
}

const rows: readonly Row[] = [
  {
    name: "requestReadTimeout: a client that says nothing",
    limits: { requestReadTimeout: "2s" },
    async begin() {},
    after: 2000,
    manner: "FIN",
    received: "",
    ending: "read-timeout by requestReadTimeout while idle",
  },
  {
    name: "idleTimeout: silence after a conversation",
    limits: { idleTimeout: "4s", requestReadTimeout: "2s" },
    begin: talk,
    // One look has passed already.
    after: 4000 - look,
    slack: look,
    manner: "FIN",
    received: "hello",
    ending: "idle-timeout by idleTimeout while handling",
  },
  {
    name: "idleTimeout: from the last byte of the client",
    limits: { idleTimeout: "4s" },
    async begin(scene, client) {
      for (const word of ["one", "two", "three"]) {
        await talk(scene, client, word);
        await scene.pass(3000);
      }
    },
    after: 1000 - look,
    slack: look,
    manner: "FIN",
    received: "onetwothree",
    ending: "idle-timeout by idleTimeout while handling",
  },
  {
    name: "idleTimeout: from the last byte of the server, which speaks first and has no other deadline",
    limits: { idleTimeout: "4s", requestReadTimeout: "2s" },
    async begin(scene, client) {
      for (const word of ["one", "two", "three"]) {
        await scene.passes(() => scene.sockets[0]?.write(word), 0, word.length);
        await scene.pass(3000);
      }
      await client.gets(/three$/);
    },
    after: 1000 - look,
    slack: look,
    manner: "FIN",
    received: "onetwothree",
    ending: "idle-timeout by idleTimeout while handling",
  },
  // What minSendRate means to what has a pace of its own is its own affair.
  ...deafClients
    .filter(({ name }) => name !== "minSendRate")
    .map(({ name, limits, after, ending }): Row => ({
      name: `${name}: a client that takes nothing, though silence is shorter`,
      limits: { ...limits, idleTimeout: "2s" },
      async begin(scene, client) {
        client.socket.pause();
        await scene.passes(() => client.write("big"), 3, 0);
        await until(() => scene.only().unsentBytes > 0);
        await settle();
        // The first look sees what has left already.
        await scene.pass(2 * look);
      },
      after: after - 3 * look,
      slack: 3 * look,
      manner: "RST",
      ending: `${ending} while handling`,
    })),
  {
    name: "maxConnectionAge: a client with which nothing was talked",
    limits: { maxConnectionAge: "10s" },
    async begin() {},
    // Jittered by a tenth.
    after: 9000,
    slack: 2000 + look,
    manner: "FIN",
    received: "",
    ending: "max-age by maxConnectionAge while idle",
  },
];

for (const kind of kinds) {
  for (const { name, limits, begin, after, slack, manner, received, ending } of rows) {
    test(`${kind}: ${name}`, async (t) => {
      const scene = await startSockets(t, kind, limits);
      const client = await scene.dial();
      await begin(scene, client);
      const connection = scene.only();
      await endsAfter(scene, connection, after, slack ?? resolution);
      await seesEnd(scene, client, manner);
      if (received !== undefined) {
        assert.equal(await client.all(), received);
        assert.equal(await client.ended, "FIN");
      }
      await endsAs(scene, client, ending);
      await connection.closed;
      assert.equal(scene.sockets[0]?.destroyed, true);
    });
  }

  test(`${kind}: a client that says its first byte a moment before its deadline is served, and so is its next`, async (t) => {
    const scene = await startSockets(t, kind, { requestReadTimeout: "2s", idleTimeout: "3s" });
    const client = await scene.dial();
    await scene.pass(1990);
    await talk(scene, client, "first");
    await scene.pass(2990 - look);
    await talk(scene, client, "second");
    assert.equal(scene.only().closeReason, null);
  });

  test(`${kind}: without limits nobody is cut, however long it takes`, async (t) => {
    const scene = await startSockets(t, kind, { ...off, requestReadTimeout: "Infinity", idleTimeout: "Infinity" });
    const client = await scene.dial();
    for (let minute = 0; minute < 5; minute++) await scene.pass(60_000);
    client.socket.pause();
    await scene.passes(() => client.write("big"), 3, 0);
    for (let minute = 0; minute < 5; minute++) await scene.pass(60_000);
    assert.equal(scene.only().closeReason, null);
    client.socket.resume();
    await until(() => client.received.length === big.length);
  });

  test(`${kind}: maxConnectionAge leaves a conversation alone, and tells the program that it is to end`, async (t) => {
    const scene = await startSockets(t, kind, { maxConnectionAge: "10s" });
    const client = await scene.dial();
    for (let second = 0; second < 20; second++) {
      await talk(scene, client);
      await scene.pass(1000);
    }
    const connection = scene.only();
    assert.deepEqual([connection.closeReason, connection.shouldClose], [null, true]);
    scene.sockets[0]?.end("bye");
    assert.match(await client.all(), /bye$/);
    client.end();
    await connection.closed;
  });
}
