/** What a script of the soak is: what a client does, where, and the one reason for which its connection ends. */
import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { CloseReason, DrainReport, SafetyLimitName, SafetyLimitsOptions } from "../../../src/index.ts";
import { kernelIsMute, seenByClient } from "../../support/kernel.ts";

export type ProtocolName = "http" | "https" | "h2c" | "h2" | "net" | "tls" | "ws";

/** Reached by no script: an end by one of these is an end for the wrong reason. */
const outOfReach: SafetyLimitsOptions = {
  handshakeTimeout: "2m",
  requestReadTimeout: "2m",
  idleTimeout: "2m",
  responseTimeout: "2m",
  responseSendTimeout: "2m",
  upgradedIdleTimeout: "2m",
  minReceiveRate: 0,
  minSendRate: 0,
  maxBufferedBytes: "Infinity",
  lingerTimeout: "20s",
};

/** The groups of servers. In each one limit is short, so that no other can be met first however slow the machine is. */
export const groups = {
  patient: outOfReach,
  handshake: { ...outOfReach, handshakeTimeout: 500 },
  // Long enough for a client to have begun its request before it is over.
  reading: { ...outOfReach, requestReadTimeout: 5000 },
  receiving: { ...outOfReach, minReceiveRate: { bytesPerSecond: 240, grace: 500 } },
  idle: { ...outOfReach, idleTimeout: 500 },
  handling: { ...outOfReach, responseTimeout: 700 },
  sending: { ...outOfReach, responseSendTimeout: 800 },
  upgraded: { ...outOfReach, upgradedIdleTimeout: 600 },
} satisfies Record<string, SafetyLimitsOptions>;

export type GroupName = keyof typeof groups;

/** One client that has just connected. */
export interface Visit {
  /** TLS and all, except where the script wants it `raw`. */
  readonly socket: Socket;
  /** Sends RST, after what was written so far. */
  reset(): Promise<void>;
  /** The ports of the server and of the client. */
  readonly ports: readonly [port: number, clientPort: number];
  /** Settles when the server says that this connection has closed: who does not read does not see it. */
  gone(): Promise<void>;
}

export interface Script {
  readonly name: string;
  readonly protocols: readonly ProtocolName[];
  /** @default "patient" */
  readonly group?: GroupName;
  readonly reason: CloseReason;
  readonly limit?: SafetyLimitName;
  /** Below TLS. */
  readonly raw?: boolean;
  /** It makes the server hold much memory: few at a time. */
  readonly heavy?: boolean;
  /** It takes part in the drain at the end only, and counts there as this. */
  readonly drain?: "idle" | "finished" | "cut";
  /** How many errors of the program's it causes. */
  readonly errors?: number;
  /** Fails unless the client sees what it is to see. Afterwards the runner says FIN, where nobody has. */
  play(visit: Visit): Promise<unknown>;
}

/** What a handler of the program throws when a script asks for it. */
export const thrown = "as the script says";

/** From the parent to the clients. */
export type ToClients =
  | { ports: Record<string, number> }
  | { rounds: number; seconds: number }
  | { drain: number }
  | { gone: [port: number, clientPort: number] }
  | "pending";

/** From the clients: what one did, that a task is done, or which parts are being played. */
export type FromClients = { played: Played } | "done" | { pending: string[] };

export interface Played {
  /** The place of its script and protocol in `parts`. */
  part: number;
  port: number;
  clientPort: number;
  failure: string | null;
}

/** From the parent to the servers. */
export type ToServers = "open" | "state" | "drain";

/** From the servers. */
export type FromServers =
  | { ports: Record<string, number> }
  | { ended: Ended }
  | { state: ServerState }
  | { reports: readonly DrainReport[] };

export interface Ended {
  /** Counts up in the order of accepting. */
  id: number;
  port: number;
  clientPort: number;
  reason: CloseReason;
  limit: SafetyLimitName | null;
}

export interface ServerState {
  /** Sockets that Node has accepted, and connections that were opened. */
  accepted: number;
  opened: number;
  live: number;
  idle: number;
  /** Requests and sockets that the program holds until the drain. */
  held: number;
  timers: number;
  descriptors: number;
  resources: string[];
  heap: number;
  arrayBuffers: number;
  /** Errors of the program's that scripts asked for. */
  thrown: number;
  /** Anything that should not have happened. */
  faults: string[];
}

export function serverName(group: GroupName, protocol: ProtocolName): string {
  return `${group} ${protocol}`;
}

export function isSecure(protocol: ProtocolName): boolean {
  return protocol === "https" || protocol === "h2" || protocol === "tls";
}

/** A client's connection, through TLS where `protocol` has it and `raw` does not forbid it. */
export async function dial(
  port: number,
  protocol: ProtocolName,
  raw: boolean,
  connected: (clientPort: number) => void,
): Promise<[top: Socket, tcp: Socket]> {
  const tcp = connectTcp({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  await once(tcp, "connect");
  connected(tcp.localPort ?? 0);
  if (raw || !isSecure(protocol)) return [tcp, tcp];
  const secure = secured(tcp, protocol);
  await once(secure, "secureConnect");
  return [secure, tcp];
}

/** TLS on top of a socket; the handshake has yet to come. */
export function secured(tcp: Socket, protocol: ProtocolName): TLSSocket {
  return connectTls({
    socket: tcp,
    rejectUnauthorized: false,
    allowHalfOpen: true,
    ALPNProtocols: [protocol === "h2" ? "h2" : "http/1.1"],
  } as ConnectionOptions);
}

/** Reads nothing until the server has given up, and then finds that it was reset. */
export async function staysDeaf({ socket, ports: [port, clientPort], gone }: Visit): Promise<void> {
  socket.pause();
  await gone();
  // Node does not tell a reset behind bytes that were not read from a FIN; the kernel does.
  if (kernelIsMute === false) assert.equal(seenByClient(clientPort, port), "RST");
  socket.destroy();
}
