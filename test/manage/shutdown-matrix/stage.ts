/**
 * One cell of the shutdown matrix: a server of one kind under a manager with its default limits, clients for it, and a
 * drain that is held to its promise. The clock is the real one.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { performance } from "node:perf_hooks";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { manage } from "../../../src/index.ts";
import type { Managed, ManageOptions } from "../../../src/index.ts";
import { certificate } from "../../support/certificate.ts";
import { until } from "../../support/clients.ts";
import { Pauses } from "../../support/pauses.ts";
import { TcpClient } from "../../support/tcp-client.ts";
import type { Scene } from "./scene.ts";
import { isSecure, makeServer } from "./servers.ts";
import type { ProtocolName } from "./servers.ts";

/** What every drain of the matrix grants, in milliseconds. */
export const grace = 1000;
/** How much later than delay and grace a drain may settle. */
const margin = 250;

export interface Row {
  readonly name: string;
  /** Where the row makes sense. */
  readonly on: readonly ProtocolName[];
  readonly options?: ManageOptions;
  /** Whether the row puts the server under its manager by itself, when clients are connected. */
  readonly attachesLate?: boolean;
  play(stage: Stage): Promise<void>;
}

/** How a drain went. */
export interface Outcome {
  /** Milliseconds. */
  readonly took: number;
  /** How many of them this process could not run, because of other tests and other programs. */
  readonly paused: number;
  readonly idle: number;
  readonly finished: number;
  /** "reason while phase", sorted. */
  readonly cut: readonly string[];
  readonly refused: number;
}

export class Stage {
  readonly protocol: ProtocolName;
  readonly server: Server;
  readonly port: number;
  readonly scene: Scene;
  readonly #test: TestContext;
  readonly #options: ManageOptions;
  #managed: Managed | null = null;

  private constructor(t: TestContext, protocol: ProtocolName, server: Server, scene: Scene, options: ManageOptions) {
    this.#test = t;
    this.protocol = protocol;
    this.server = server;
    this.scene = scene;
    this.port = (server.address() as AddressInfo).port;
    this.#options = options;
  }

  static async set(t: TestContext, protocol: ProtocolName, { options = {}, attachesLate }: Row): Promise<Stage> {
    const scene: Scene = { begun: 0 };
    const server = makeServer(protocol, await certificate(), scene);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const stage = new Stage(t, protocol, server, scene, options);
    if (attachesLate !== true) stage.attach();
    return stage;
  }

  get managed(): Managed {
    assert.ok(this.#managed !== null, "the server is under a manager");
    return this.#managed;
  }

  attach(): void {
    const managed = manage(this.server, this.#options);
    this.#managed = managed;
    this.#test.after(() => managed.close());
  }

  /** Does something when the test is over, however it went. */
  after(what: () => void): void {
    this.#test.after(what);
  }

  /** A TCP connection, with nothing on top of it. Like most clients it answers FIN with FIN. */
  async dialTcp(port: number = this.port): Promise<TcpClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#test.after(() => socket.destroy());
    const client = new TcpClient(socket);
    await once(socket, "connect");
    return client;
  }

  /** A connection with whatever TLS the protocol has below it. */
  async dial(): Promise<TcpClient> {
    if (!isSecure(this.protocol)) return this.dialTcp();
    const ALPNProtocols = this.protocol === "h2" ? ["h2"] : ["http/1.1"];
    const socket = connectTls({ port: this.port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols });
    this.#test.after(() => socket.destroy());
    const client = new TcpClient(socket);
    await once(socket, "secureConnect");
    return client;
  }

  /** Connections are in these phases, as far as they count: waits until as many are. */
  async settles(phase: "idle" | "reading" | "handling" | "sending" | "upgraded", count: number): Promise<void> {
    await until(() => this.managed.connections.countByPhase()[phase] === count);
  }

  /** So many connections are there. */
  async connected(count: number): Promise<void> {
    await until(() => this.managed.connections.size === count);
  }

  /** So many requests, or sockets of a protocol without requests, are being served by the program. */
  async begun(count: number): Promise<void> {
    await until(() => this.scene.begun === count);
  }

  /** Drains; the drain is over within delay, grace and the margin, whatever is going on. */
  async drain({ delay = 0, managed = this.managed }: { delay?: number; managed?: Managed } = {}): Promise<Outcome> {
    const pauses = new Pauses();
    const started = performance.now();
    const report = await managed.drain({ grace, delay });
    const took = performance.now() - started;
    const paused = pauses.end();
    assert.ok(took <= delay + grace + margin + paused, `the drain took ${took} ms, of which ${paused} are not its own`);
    assert.equal(managed.connections.size, 0, "nobody is connected any more");
    const { idle, finished, cut, refused } = report;
    const ends = cut.map(({ reason, phase }) => `${reason} while ${phase}`).sort();
    return { took, paused, idle, finished, cut: ends, refused };
  }
}

/** What came of a drain, as far as nothing else is said: nobody. */
export function came(outcome: Outcome, expected: Partial<Omit<Outcome, "took" | "paused">>): void {
  const { took: _took, paused: _paused, ...rest } = outcome;
  assert.deepEqual(rest, { idle: 0, finished: 0, cut: [], refused: 0, ...expected });
}

/** The drain waited for nothing. */
export function endedAtOnce(outcome: Outcome): void {
  endedWithin(outcome, 0, margin);
}

/** The drain ended with the work in flight, and not with its grace period. That it waited is seen by the work. */
export function endedWithWork(outcome: Outcome, work: number): void {
  endedWithin(outcome, 0, work + margin);
}

/** The drain cut what was left at its grace period. */
export function endedAtGrace(outcome: Outcome, granted: number = grace): void {
  // A timer of Node's may be early by a millisecond.
  endedWithin(outcome, granted - 1, granted + margin);
}

function endedWithin({ took, paused }: Outcome, least: number, most: number): void {
  assert.ok(took >= least && took <= most + paused, `it took ${took} ms, of which ${paused} are not its own`);
}
