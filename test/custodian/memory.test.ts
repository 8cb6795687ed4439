import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import * as fc from "fast-check";
import { custodianLimitMemory, makeCustodian } from "../../src/custodian/index.ts";
import type { Custodian } from "../../src/custodian/index.ts";
import { begin } from "./support.ts";

test("charging more than the limit shuts the custodian down at once", () => {
  const { custodian } = begin();
  const limited = custodian.child();
  const reasons: unknown[] = [];
  limited.defer((reason) => reasons.push(reason));
  custodianLimitMemory(limited, "1 KiB");
  limited.charge(1000);
  limited.charge(24);
  assert.equal(limited.charged, 1024);
  assert.equal(limited.isShutDown, false);
  limited.charge(1);
  assert.equal(limited.isShutDown, true);
  assert.deepEqual(reasons, ["memory limit"]);
  assert.equal(custodian.isShutDown, false);
});

test("what is given back counts no more, and never below zero", () => {
  const { custodian } = begin();
  custodianLimitMemory(custodian, 100);
  custodian.charge(90);
  custodian.charge(-1000);
  assert.equal(custodian.charged, 0);
  custodian.charge(100);
  assert.equal(custodian.isShutDown, false);
});

test("what is charged anywhere below counts, and ends counting when its custodian ends", async () => {
  const { custodian } = begin();
  custodianLimitMemory(custodian, 100);
  const [first, second] = [custodian.child(), custodian.child().child()];
  first.charge(60);
  await first.shutdownAll();
  second.charge(60);
  assert.equal(custodian.isShutDown, false);
  second.charge(41);
  assert.equal(custodian.isShutDown, true);
});

test("another custodian than the limited one may be the one to stop", () => {
  const { custodian } = begin();
  const [limited, victim] = [custodian.child(), custodian.child()];
  custodianLimitMemory(limited, 10, victim);
  limited.charge(11);
  assert.equal(limited.isShutDown, false);
  assert.equal(victim.isShutDown, true);
});

test("bytes that managed streams buffer are seen within 100 ms", () => {
  const { custodian, clock } = begin();
  const limited = custodian.child();
  const stream = limited.child().use(new PassThrough({ highWaterMark: 1_000_000 }));
  custodianLimitMemory(limited, 1000);
  stream.write(Buffer.alloc(1001));
  assert.equal(limited.isShutDown, false);
  clock.advance(110);
  assert.equal(limited.isShutDown, true);
  assert.equal(stream.destroyed, true);
});

test("objects that streams hold are not taken for bytes", () => {
  const { custodian, clock } = begin();
  const stream = custodian.use(new PassThrough({ objectMode: true, highWaterMark: 1000 }));
  custodianLimitMemory(custodian, 10);
  for (let object = 0; object < 100; object++) stream.write({ object });
  clock.advance(1000);
  assert.equal(custodian.isShutDown, false);
});

test("a limit that was disposed of limits nothing and samples no more", () => {
  const { custodian, clock } = begin();
  const limit = custodianLimitMemory(custodian, 10);
  limit[Symbol.dispose]();
  custodian.charge(11);
  clock.advance(1000);
  assert.equal(custodian.isShutDown, false);
  assert.equal(clock.pending, 0);
});

test("a limit ends with its custodian and with the one it would stop", async () => {
  for (const ended of ["limited", "victim"] as const) {
    const { custodian, clock } = begin();
    const which = { limited: custodian.child(), victim: custodian.child() };
    custodianLimitMemory(which.limited, 10, which.victim);
    await which[ended].shutdownAll();
    clock.advance(1000);
    assert.equal(clock.pending, 0);
  }
});

test("several limits on one tree each hold", () => {
  const { custodian } = begin();
  const child = custodian.child();
  custodianLimitMemory(custodian, 100);
  custodianLimitMemory(child, 50);
  child.charge(51);
  assert.equal(child.isShutDown, true);
  assert.equal(custodian.isShutDown, false);
  custodian.charge(101);
  assert.equal(custodian.isShutDown, true);
});

test("a limit without bounds never acts, and wrong limits are refused", () => {
  const { custodian } = begin();
  custodianLimitMemory(custodian, Infinity);
  custodian.charge(Number.MAX_SAFE_INTEGER);
  assert.equal(custodian.isShutDown, false);
  for (const bytes of [-1, 0.5, Number.NaN, "1 parsec", null]) {
    assert.throws(() => custodianLimitMemory(custodian, bytes as never), /^\w*Error: bytes: expected a size/u);
  }
  assert.throws(() => custodianLimitMemory({} as never, 1), /^\w*Error: limit: expected a custodian/u);
  assert.throws(() => custodianLimitMemory(custodian, 1, {} as never), /^\w*Error: stop: expected a custodian/u);
});

test("over random charges a custodian stops exactly when the sum below it first exceeds the limit", () => {
  const charges = fc.array(fc.record({ at: fc.nat(4), bytes: fc.integer({ min: -50, max: 100 }) }));
  fc.assert(
    fc.property(charges, fc.nat(300), (history, limit) => {
      const root = makeCustodian(null);
      const nodes: Custodian[] = [root];
      for (let depth = 0; depth < 4; depth++) nodes.push((nodes.at(-1) as Custodian).child());
      custodianLimitMemory(root, limit);
      const held = nodes.map(() => 0);
      let stopped = false;
      for (const { at, bytes } of history) {
        (nodes[at] as Custodian).charge(bytes);
        held[at] = Math.max(0, (held[at] as number) + bytes);
        stopped ||= held.reduce((sum, own) => sum + own) > limit;
        assert.equal(root.isShutDown, stopped);
        if (stopped) break;
      }
    }),
  );
});
