/** Run as a process of its own, with `--expose-gc`: the servers, and what they know of their connections. */
import { subscribe } from "node:diagnostics_channel";
import { readdirSync } from "node:fs";
import type { AddressInfo, Server, Socket } from "node:net";
import { enforcedLimits, manage } from "../../../src/index.ts";
import type { CloseReason, Connection, Managed, SafetyLimitsOptions } from "../../../src/index.ts";
import { defaultTimerManager } from "../../../src/timers/timer-manager.ts";
import { certificate } from "../../support/certificate.ts";
import { parts } from "./parts.ts";
import { draining, holding, makeServer } from "./program.ts";
import { groups, serverName, thrown } from "./script.ts";
import type { FromServers, GroupName, ProtocolName, ServerState, ToServers } from "./script.ts";

/** Long enough for a client to take its answer. */
const grace = "3s";

const faults: string[] = [];
let errorsOfProgram = 0;
let accepted = 0;
let opened = 0;
/** The ports of the live connections, of ours and of the client's. */
const portsOf = new WeakMap<Connection, [port: number, clientPort: number]>();
const groupsOpen: Managed[] = [];

process.on("uncaughtException", (error) => faults.push(`uncaught: ${error.stack}`));
process.on("unhandledRejection", (error) => faults.push(`unhandled: ${String(error)}`));
process.on("warning", (warning) => {
  // That a limit at its default has cut somebody is what it is for.
  if ((warning as NodeJS.ErrnoException).code !== "PORTREEVE_DEFAULT_LIMIT") faults.push(`warning: ${warning.stack}`);
});

// What Node itself has accepted, for comparison.
subscribe("net.server.socket", () => void accepted++);
subscribe("portreeve.connection.opened", (message) => {
  const { connection } = message as { connection: Connection };
  const { localPort = 0, remotePort = 0 } = connection.input as Socket;
  portsOf.set(connection, [localPort, remotePort]);
  opened++;
});
subscribe("portreeve.connection.closed", (message) => {
  const { connection, reason } = message as { connection: Connection; reason: CloseReason };
  const [port, clientPort] = portsOf.get(connection) ?? [0, 0];
  tell({ ended: { id: connection.id, port, clientPort, reason, limit: connection.closeLimit } });
});

function tell(message: FromServers): void {
  process.send?.(message);
}

function giveUp(error: unknown): void {
  console.error(error);
  process.exit(1);
}

async function open(): Promise<void> {
  const ports: Record<string, number> = {};
  const pair = await certificate();
  for (const [group, safetyLimits] of Object.entries(groups)) {
    const servers: Server[] = [];
    for (const protocol of protocolsOf(group as GroupName)) {
      const server = makeServer(protocol, pair);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      ports[serverName(group as GroupName, protocol)] = (server.address() as AddressInfo).port;
      servers.push(server);
    }
    groupsOpen.push(
      manage(servers, {
        safetyLimits: enforcedOn(servers, safetyLimits),
        onError: (error) => {
          if (error.message === thrown) errorsOfProgram++;
          else faults.push(`onError: ${error.stack}`);
        },
      }),
    );
  }
  tell({ ports });
}

/** `manage` refuses a limit that none of the servers enforces. */
function enforcedOn(servers: readonly Server[], limits: SafetyLimitsOptions): SafetyLimitsOptions {
  const enforced = new Set<string>(servers.flatMap(enforcedLimits));
  return Object.fromEntries(Object.entries(limits).filter(([name]) => enforced.has(name)));
}

function protocolsOf(group: GroupName): ReadonlySet<ProtocolName> {
  const own = parts.filter(({ script }) => (script.group ?? "patient") === group);
  return new Set(own.map(({ protocol }) => protocol));
}

function state(): ServerState {
  for (let i = 0; i < 4; i++) globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return {
    accepted,
    opened,
    live: groupsOpen.reduce((sum, { connections }) => sum + connections.size, 0),
    idle: groupsOpen.reduce((sum, { connections }) => sum + connections.countByPhase().idle, 0),
    held: holding.count,
    timers: defaultTimerManager().size,
    descriptors: readdirSync("/proc/self/fd").length,
    resources: process.getActiveResourcesInfo().sort(),
    heap: heapUsed,
    arrayBuffers,
    thrown: errorsOfProgram,
    faults,
  };
}

async function drain(): Promise<void> {
  const drains = groupsOpen.map((managed) => managed.drain({ grace }));
  draining.open();
  tell({ reports: await Promise.all(drains) });
}

process.on("message", (message: ToServers) => {
  if (message === "open") open().catch(giveUp);
  else if (message === "drain") void drain();
  else tell({ state: state() });
});
process.on("disconnect", () => process.exit());
