/** Drains of whole servers: several as one, after a delay, twice, cut short by a close, and while clients wait for a permit. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { manage } from "../../../src/index.ts";
import type { Managed, ManageOptions } from "../../../src/index.ts";
import { until } from "../../support/clients.ts";
import { undisturbed } from "../../support/pauses.ts";
import { answers, get } from "../../protocols/http1/web.ts";
import { Stage, came, endedAtGrace, endedAtOnce, endedWithWork, grace } from "./stage.ts";
import type { ProtocolName } from "./servers.ts";

const close = /^Connection: close\r$/m;

function set(t: TestContext, protocol: ProtocolName, options: ManageOptions = {}): Promise<Stage> {
  return Stage.set(t, protocol, { name: "", on: [], options, play: async () => {} });
}

/** Servers of several kinds under one manager. */
async function setTogether(
  t: TestContext,
  ...protocols: ProtocolName[]
): Promise<{ stages: Stage[]; managed: Managed }> {
  const stages = await Promise.all(
    protocols.map((protocol) => Stage.set(t, protocol, { name: "", on: [], attachesLate: true, play: async () => {} })),
  );
  const managed = manage(stages.map(({ server }) => server));
  t.after(() => managed.close());
  return { stages, managed };
}

async function refused(port: number): Promise<void> {
  const [error] = (await once(connect(port, "127.0.0.1"), "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNREFUSED");
}

/** Asks on a fresh connection, and gives back the answer's head and body. */
async function asks(stage: Stage, path: string): Promise<{ head: string; body: string; status: number } | undefined> {
  const client = await stage.dial();
  client.write(get(path));
  await client.gets(/\r\n\r\n\w+$/);
  const [answer] = answers(client.received);
  client.end();
  return answer;
}

/** A promise that is judged by the real clock. */
function check(name: string, play: (t: TestContext) => Promise<void>): void {
  test(name, (t) => undisturbed(t, () => play(t)));
}

void describe("draining servers", { concurrency: 4, timeout: 60_000 }, () => {
  check("several servers drain as one: none accepts, and each finishes what it has in flight", async (t) => {
    const { stages, managed } = await setTogether(t, "http", "https", "net");
    const [web, secure, raw] = stages as [Stage, Stage, Stage];
    const clients = await Promise.all(stages.map((stage) => stage.dial()));
    const [first, second, third] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
    first.write(get("/after/500"));
    second.write(get("/after/300"));
    third.write("hello");
    const idle = await web.dial();
    await Promise.all(stages.map((stage) => stage.begun(1)));
    await until(() => managed.connections.size === 4);
    const draining = web.drain({ managed });
    await Promise.all([refused(web.port), refused(secure.port), refused(raw.port)]);
    const outcome = await draining;
    endedAtGrace(outcome);
    came(outcome, { idle: 1, finished: 2, cut: ["drain-cut while handling"] });
    for (const client of [first, second]) {
      const [answer] = answers(await client.all());
      assert.equal(answer?.body, "whole");
      assert.match(answer?.head ?? "", close);
    }
    assert.equal(await idle.ended, "FIN");
  });

  for (const protocol of ["http", "https"] as const) {
    check(`${protocol}: during the delay everything is served as ever, and only readiness says no`, async (t) => {
      const stage = await set(t, protocol);
      const delay = 600;
      const [kept, late] = [await stage.dial(), await stage.dial()];
      kept.write(get("/"));
      await kept.gets(/ok$/);
      const draining = stage.drain({ delay });
      // In flight when the delay is over.
      late.write(get("/after/1000"));
      assert.equal(stage.managed.ready, false);
      const answer = await asks(stage, "/");
      assert.deepEqual([answer?.status, answer?.body], [200, "ok"]);
      assert.doesNotMatch(answer?.head ?? "", close);
      kept.write(get("/after/50"));
      await kept.gets(/whole$/);
      assert.doesNotMatch(kept.received, close);
      const outcome = await draining;
      endedWithWork(outcome, 1000);
      came(outcome, { idle: 1, finished: 1 });
      assert.match(await late.all(), close);
      assert.equal(await kept.ended, "FIN");
      await refused(stage.port);
    });
  }

  check("a drain with a delay and a handler that never answers takes delay and grace together", async (t) => {
    const stage = await set(t, "http");
    const client = await stage.dial();
    client.write(get("/never"));
    await stage.begun(1);
    const outcome = await stage.drain({ delay: 300 });
    endedAtGrace(outcome, 300 + grace);
    came(outcome, { cut: ["drain-cut while handling"] });
    assert.equal(answers(await client.all())[0]?.status, 503);
  });

  check("a second drain is the first one, whatever its options", async (t) => {
    const stage = await set(t, "http");
    const client = await stage.dial();
    client.write(get("/after/300"));
    await stage.begun(1);
    const first = stage.managed.drain({ grace });
    const second = stage.managed.drain({ grace: 0 });
    assert.equal(first, second);
    assert.equal(await first, await stage.managed.drain());
    assert.equal((await first).finished, 1);
    assert.equal(answers(await client.all())[0]?.body, "whole");
  });

  check("a close during a drain cuts at once, and the drain reports it", async (t) => {
    const stage = await set(t, "http");
    const client = await stage.dial();
    client.write(get("/never"));
    await stage.begun(1);
    const draining = stage.drain();
    const started = performance.now();
    await stage.managed.close();
    const outcome = await draining;
    assert.ok(performance.now() - started < grace, "nobody waited for the grace period");
    endedAtOnce(outcome);
    came(outcome, { cut: ["server-closed while handling"] });
    assert.equal(answers(await client.all())[0]?.status, 503);
  });

  check("a close during the delay of a drain ends the drain, too", async (t) => {
    const stage = await set(t, "http");
    const client = await stage.dial();
    client.write(get("/never"));
    await stage.begun(1);
    const draining = stage.drain({ delay: 1000 });
    await stage.managed.close();
    endedAtOnce(await draining);
    assert.equal(answers(await client.all())[0]?.status, 503);
  });

  check("a drain after a close has nothing to do", async (t) => {
    const stage = await set(t, "http");
    await stage.dial();
    await stage.connected(1);
    await stage.managed.close();
    const outcome = await stage.drain();
    endedAtOnce(outcome);
    came(outcome, {});
  });

  for (const protocol of ["http", "https", "net", "tls"] as const) {
    check(`${protocol}: those who wait for a permit when a drain begins are refused, and counted`, async (t) => {
      const stage = await set(t, protocol, { safetyLimits: { maxConcurrent: 1 } });
      const isWeb = protocol === "http" || protocol === "https";
      const served = await stage.dial();
      served.write(isWeb ? get("/after/300") : "hello");
      await stage.begun(1);
      const waiting = await Promise.all([stage.dialTcp(), stage.dialTcp()]);
      await until(() => stage.managed.waiting === 2);
      if (!isWeb) setTimeout(() => served.end(), 300);
      const outcome = await stage.drain();
      endedWithWork(outcome, 300);
      came(outcome, { finished: 1, refused: 2 });
      for (const client of waiting) {
        const answer = await client.all();
        if (protocol === "http") assert.match(answer, /^HTTP\/1\.1 503 [^]*^Retry-After: 1\r$/m);
        else assert.equal(answer, "");
      }
    });
  }
});
