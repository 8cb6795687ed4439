/**
 * The soak: good, slow and rude clients over all protocols, for half a minute; for as long as PORTREEVE_SOAK_SECONDS says
 * where that is set (`npm run soak`: five minutes). The servers and the clients are processes of their own. The clients know what
 * they do and for which reason each of their connections has to end; this process compares that with what the servers saw.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { DrainReport } from "../../src/index.ts";
import { Judge } from "./soak/judge.ts";
import { parts } from "./soak/parts.ts";
import type { FromClients, FromServers, ServerState, ToClients, ToServers } from "./soak/script.ts";

/** How long a script may take at the most, in milliseconds; nothing takes a third of it on a machine of its own. */
const patience = 40_000;
const seconds = Number(process.env["PORTREEVE_SOAK_SECONDS"] ?? 20);
/** How many clients of each script there are in the drain at the end. */
const inDrain = 5;
/** How much larger the heap may be afterwards than it was after the first round. */
const growth = 5 * 2 ** 20;

const programs = {
  servers: new URL("soak/servers.js", import.meta.url),
  clients: new URL("soak/clients.js", import.meta.url),
};

function start(t: TestContext, name: keyof typeof programs): ChildProcess {
  const child = fork(fileURLToPath(programs[name]), {
    stdio: "inherit",
    // The servers look at their warnings themselves.
    execArgv: ["--expose-gc", "--enable-source-maps", "--no-warnings"],
    env: { ...process.env, NODE_ENV: "test" },
  });
  t.after(() => child.kill());
  return child;
}

/** The processes, and what they have told. */
class Soak {
  readonly judge = new Judge();
  readonly #servers: ChildProcess;
  readonly #clients: ChildProcess;
  #done = 0;

  constructor(servers: ChildProcess, clients: ChildProcess) {
    this.#servers = servers;
    this.#clients = clients;
    servers.on("message", (message: FromServers) => {
      if (!("ended" in message)) return;
      const { port, clientPort, reason } = message.ended;
      this.judge.connectionEnded(message.ended);
      if (reason === "send-timeout") this.#toClients({ gone: [port, clientPort] });
    });
    clients.on("message", (message: FromClients) => {
      if (message === "done") this.#done++;
      else if ("played" in message) this.judge.clientPlayed(message.played);
    });
  }

  async open(): Promise<void> {
    const { ports } = await this.#ask<{ ports: Record<string, number> }>("open", "ports");
    this.#toClients({ ports });
  }

  async state(): Promise<ServerState> {
    return (await this.#ask<{ state: ServerState }>("state", "state")).state;
  }

  async drain(): Promise<readonly DrainReport[]> {
    return (await this.#ask<{ reports: readonly DrainReport[] }>("drain", "reports")).reports;
  }

  /** Has the clients do something, for which they need so many milliseconds at least. */
  async play(task: ToClients, ms = 0): Promise<void> {
    const before = this.#done;
    this.#toClients(task);
    await this.#comes(() => this.#done > before, "the clients to be done", ms);
  }

  /** Every connection has ended, and every end has been told. */
  async ends(): Promise<ServerState> {
    const state = await this.reaches(({ live }) => live === 0);
    await this.#comes(() => this.judge.ended === state.opened, "the news of all ends");
    return state;
  }

  /** Looks at the servers until `check` holds. */
  async reaches(check: (state: ServerState) => boolean): Promise<ServerState> {
    let state = await this.state();
    await this.#comes(
      async () => check((state = await this.state())),
      () => JSON.stringify(state),
    );
    return state;
  }

  async #comes(check: () => boolean | Promise<boolean>, what: string | (() => string), ms = 0): Promise<void> {
    const end = Date.now() + ms + patience;
    while (!(await check())) {
      if (Date.now() > end) await this.#giveUp(typeof what === "string" ? what : what());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #giveUp(what: string): Promise<never> {
    this.#toClients("pending");
    const pending = await answerOf<{ pending: string[] }>(this.#clients, "pending");
    const { faults } = await this.state();
    throw new Error(`waited too long for ${what}: ${[...pending.pending, ...this.judge.faults, ...faults].join("; ")}`);
  }

  #toClients(message: ToClients): void {
    this.#clients.send(message);
  }

  #ask<Answer>(question: ToServers, key: string): Promise<Answer> {
    this.#servers.send(question);
    return answerOf(this.#servers, key);
  }
}

/** The next message of a process that has a key. */
function answerOf<Answer>(from: ChildProcess, key: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error(`a process has ended before it told its ${key}`));
    from.once("exit", ended);
    const hear = (message: object | string): void => {
      if (typeof message !== "object" || !(key in message)) return;
      from.off("message", hear).off("exit", ended);
      resolve(message as Answer);
    };
    from.on("message", hear);
  });
}

function expectedInDrain(kind: string): number {
  return inDrain * parts.filter(({ script }) => script.drain === kind).length;
}

const sum = (reports: readonly DrainReport[], count: (report: DrainReport) => number): number =>
  reports.reduce((all, report) => all + count(report), 0);

test(
  "good, slow and rude clients over all protocols: each ends for the reason of its script, and nothing is left",
  { timeout: 5 * patience + seconds * 1000 },
  async (t) => {
    const soak = new Soak(start(t, "servers"), start(t, "clients"));
    const { judge } = soak;
    const before = await soak.state();
    await soak.open();
    // The first rounds load and compile what the later ones use.
    await soak.play({ rounds: 2, seconds: 0 });
    const first = await soak.ends();
    await soak.play({ rounds: 1, seconds }, seconds * 1000);
    const last = await soak.ends();
    assert.deepEqual(judge.faults, []);

    const idle = expectedInDrain("idle");
    const finished = expectedInDrain("finished");
    const cut = expectedInDrain("cut");
    const drained = soak.play({ drain: inDrain });
    await soak.reaches(
      (state) => state.live === idle + finished + cut && state.idle === idle && state.held === finished + cut,
    );
    const reports = await soak.drain();
    await drained;
    assert.equal(
      sum(reports, (report) => report.idle),
      idle,
    );
    assert.equal(
      sum(reports, (report) => report.finished),
      finished,
    );
    assert.equal(
      sum(reports, (report) => report.refused),
      0,
    );
    assert.deepEqual(
      reports.flatMap((report) => report.cut.map(({ reason }) => reason)),
      Array.from({ length: cut }, () => "drain-cut"),
    );
    await soak.ends();
    const after = await soak.reaches(({ descriptors }) => descriptors === before.descriptors);

    t.diagnostic(`${after.opened} connections: ${JSON.stringify(judge.reasons)}`);
    t.diagnostic(
      `heap ${mebibytes(first.heap)} before, ${mebibytes(last.heap)} after, ${mebibytes(after.heap)} after the drain`,
    );
    assert.deepEqual(judge.faults, []);
    assert.deepEqual(after.faults, []);
    // What Node accepted, what was opened, what has ended, and what the clients did: one number.
    assert.equal(after.opened, after.accepted);
    assert.equal(judge.played, after.accepted);
    assert.equal(judge.matched, after.accepted);
    assert.equal(
      Object.values(judge.reasons).reduce((all, count) => all + count, 0),
      after.accepted,
    );
    assert.equal(after.thrown, judge.thrown);
    assert.equal(after.timers, 0);
    assert.deepEqual(less(after.resources, before.resources), []);
    assert.ok(last.heap - first.heap < growth, `the heap grew from ${first.heap} to ${last.heap} bytes`);
    assert.ok(
      last.arrayBuffers - first.arrayBuffers < growth,
      `buffers grew from ${first.arrayBuffers} to ${last.arrayBuffers} bytes`,
    );
  },
);

/** What of `all` is not in `known`, which may have the same word several times, as may `all`. */
function less(all: readonly string[], known: readonly string[]): string[] {
  const left = [...known];
  return all.filter((word) => {
    const at = left.indexOf(word);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
