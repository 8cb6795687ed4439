import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCustodian, traceLeaks } from "../../src/custodian/index.ts";
import type { LeakReport } from "../../src/custodian/index.ts";
import { begin, turn } from "./support.ts";

const collect = (globalThis as { gc?: () => void }).gc;

test("a custodian that is open long after its parent's work ended is reported with the place where it was made", async () => {
  const { custodian, clock } = begin();
  const leaks: LeakReport[] = [];
  using _tracing = traceLeaks({ after: "2s", onLeak: (report) => leaks.push(report) });
  const makeForgotten = () => custodian.child("forgotten").defer(() => {});
  await custodian.run(async () => {
    makeForgotten();
    const tidy = makeCustodian(undefined, { name: "tidy" });
    await turn();
    await tidy.shutdownAll();
  });
  clock.advance(1999);
  assert.deepEqual(leaks, []);
  clock.advance(20);
  assert.deepEqual(
    leaks.map(({ kind, name, owned }) => ({ kind, name, owned })),
    [{ kind: "outlived", name: "forgotten", owned: 1 }],
  );
  assert.match(placeOf(leaks), /makeForgotten/u);
});

test("a custodian that ends soon after its parent's work is no leak", () => {
  const { custodian, clock } = begin();
  const leaks: LeakReport[] = [];
  using _tracing = traceLeaks({ onLeak: (report) => leaks.push(report) });
  const child = custodian.run(() => makeCustodian());
  clock.advance("9s");
  void child.shutdownAll();
  clock.advance("1h");
  assert.deepEqual(leaks, []);
});

function forget(): void {
  makeCustodian(null, { name: "with something" }).defer(() => {});
  makeCustodian(null, { name: "empty" });
  const tidy = makeCustodian(null, { name: "tidy" });
  tidy.defer(() => {});
  void tidy.shutdownAll();
}

/** Where the custodian of the only report was made. */
function placeOf(leaks: readonly LeakReport[]): string {
  return leaks[0]?.madeAt.split("\n")[0] ?? "";
}

test("a custodian that is collected while it owns something is reported", { skip: collect === undefined }, async () => {
  const leaks: LeakReport[] = [];
  using _tracing = traceLeaks({ onLeak: (report) => leaks.push(report) });
  forget();
  for (let round = 0; round < 100 && leaks.length === 0; round++) {
    await turn();
    collect?.();
  }
  assert.deepEqual(
    leaks.map(({ kind, name, owned }) => ({ kind, name, owned })),
    [{ kind: "collected", name: "with something", owned: 1 }],
  );
  assert.match(placeOf(leaks), /forget/u);
});

test("without a listener a leak is a process warning", async () => {
  const warned = new Promise<Error>((resolve) => {
    process.once("warning", resolve);
  });
  const { custodian, clock } = begin();
  using _tracing = traceLeaks();
  custodian.run(() => custodian.child("forgotten"));
  clock.advance("11s");
  const warning = await warned;
  assert.equal(warning.name, "PortreeveLeakWarning");
  assert.match(warning.message, /the custodian forgotten made here is open long after the work above it ended/u);
});

test("tracing ends with its disposable, and cannot be on twice", () => {
  const { custodian, clock } = begin();
  const leaks: LeakReport[] = [];
  const tracing = traceLeaks({ onLeak: (report) => leaks.push(report) });
  assert.throws(() => traceLeaks(), { code: "ERR_PORTREEVE_ARGUMENT_TYPE" });
  custodian.run(() => custodian.child());
  tracing[Symbol.dispose]();
  clock.advance("1h");
  assert.deepEqual(leaks, []);
  traceLeaks()[Symbol.dispose]();
});
