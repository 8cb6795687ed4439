/**
 * Ten thousand connections that end in every way. Their clients live in another process and know what they do; each
 * ending has a server of its own, so that the port tells which it is to be.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { CloseReason, Connection, RunningServer, SafetyLimitsOptions } from "../../src/index.ts";
import { defaultTimerManager } from "../../src/timers/timer-manager.ts";
import { echo, gate, until } from "../support/clients.ts";
import type { Script, Task } from "../support/many-clients.ts";

interface Ending {
  script: Script;
  reason: CloseReason;
  limits?: SafetyLimitsOptions;
  /** How many connect at a time. */
  atOnce?: number;
  /** What the server does with a request; otherwise it echoes. */
  dispatch?: (connection: Connection) => unknown;
  /** What happens to the server once all have sent their request. */
  finale?: (server: RunningServer) => Promise<unknown>;
}

const total = 10_000;
/** Sent to clients that do not read; larger than what the kernel takes. */
const tooMuch = Buffer.alloc(16_000_000);
const untilClosed = async (connection: Connection): Promise<void> => void (await connection.closed);
const draining = gate();

const endings: Ending[] = [
  { script: "says FIN", reason: "client-ended" },
  { script: "says RST", reason: "client-reset" },
  { script: "is silent", reason: "read-timeout", limits: { requestReadTimeout: 200 } },
  { script: "drips", reason: "read-timeout", limits: { requestReadTimeout: 300 } },
  { script: "goes quiet", reason: "idle-timeout", limits: { idleTimeout: 200 } },
  {
    script: "does not read",
    reason: "send-timeout",
    limits: { responseSendTimeout: 250, maxBufferedBytes: "Infinity" },
    atOnce: 60,
    dispatch: (connection) => void connection.output.write(tooMuch),
  },
  {
    script: "asks and waits",
    reason: "completed",
    dispatch: (connection) => {
      connection.output.write("bye\n");
      connection.shouldClose = true;
    },
  },
  { script: "asks and waits", reason: "response-timeout", limits: { responseTimeout: 200 }, dispatch: untilClosed },
  { script: "asks and waits", reason: "killed", dispatch: (connection) => connection.kill() },
  {
    script: "asks and waits",
    reason: "owner-shutdown",
    dispatch: (connection) => void connection.custodian.shutdownAll(),
  },
  {
    script: "asks and waits",
    reason: "handler-error",
    dispatch: () => {
      throw new Error("as the script says");
    },
  },
  {
    script: "asks and waits",
    reason: "drained",
    dispatch: () => draining.promise,
    finale: (server) => {
      const drained = server.drain({ grace: "30s" });
      draining.open();
      return drained;
    },
  },
  {
    script: "asks and waits",
    reason: "drain-cut",
    dispatch: untilClosed,
    finale: (server) => server.drain({ grace: 100 }),
  },
  { script: "asks and waits", reason: "server-closed", dispatch: untilClosed, finale: (server) => server.close() },
];

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;
const activeSockets = (): number => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length;

test("ten thousand connections that end in every way have the reason their script expects, and leave nothing", async (t) => {
  await (await echo()).close();
  await until(() => activeSockets() === 0 && defaultTimerManager().size === 0);
  const descriptors = openDescriptors();

  const clients = fork(fileURLToPath(new URL("../support/many-clients.js", import.meta.url)), { stdio: "inherit" });
  t.after(() => clients.kill());
  const done = new Set<number>();
  clients.on("message", (port: number) => done.add(port));

  // Counted by server, and so by ending.
  const reasons = new Map<unknown, Map<string, number>>();
  const closed = (message: unknown): void => {
    const { connection, reason } = message as { connection: Connection; reason: string };
    const { connections } = connection.manager;
    const counts = reasons.get(connections) ?? new Map<string, number>();
    reasons.set(connections, counts.set(reason, (counts.get(reason) ?? 0) + 1));
  };
  subscribe("portreeve.connection.closed", closed);

  const unexpected: Error[] = [];
  const run = async (ending: Ending, count: number): Promise<void> => {
    const { script, reason, limits, dispatch, finale } = ending;
    let asked = 0;
    const server = await echo({
      // The rates would end some of them a little earlier, for reasons of their own.
      safetyLimits: { minSendRate: 0, minReceiveRate: 0, responseSendTimeout: "30s", ...limits },
      onError: (error) => {
        if (error.message !== "as the script says") unexpected.push(error);
      },
      dispatch: (connection, line) => {
        asked++;
        if (script === "does not read") {
          const { remotePort } = connection.input as Socket;
          void connection.closed.then(() => clients.send({ gone: remotePort }));
        }
        return dispatch === undefined ? connection.output.write(`${line}\n`) : dispatch(connection);
      },
    });
    const atOnce = finale === undefined ? (ending.atOnce ?? 150) : count;
    const { port } = server;
    clients.send({ script, port, count, atOnce } satisfies Task);
    if (finale !== undefined) {
      await until(() => asked === count);
      await finale(server);
    }
    await until(() => done.has(port) && server.served === 0);
    assert.equal(server.connections.size, 0);
    assert.equal(server.waiting, 0);
    await server.close();
    const counts = Object.fromEntries(reasons.get(server.connections) ?? []);
    assert.deepEqual(counts, { [reason]: count }, `a client that ${script}, for ${reason}`);
  };

  const share = Math.floor(total / endings.length);
  const first = total - share * (endings.length - 1);
  await Promise.all(endings.map((ending, i) => run(ending, i === 0 ? first : share)));
  unsubscribe("portreeve.connection.closed", closed);
  let all = 0;
  for (const counts of reasons.values()) for (const count of counts.values()) all += count;
  assert.equal(all, total);
  assert.deepEqual(unexpected, []);

  clients.disconnect();
  await until(() => clients.exitCode !== null);
  await until(() => activeSockets() === 0 && defaultTimerManager().size === 0);
  assert.equal(openDescriptors(), descriptors);
});
