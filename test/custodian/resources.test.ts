/**
 * Every kind of resource, with the real thing: the custodian shuts it down; one that ends by itself leaves; one that
 * has ended is not taken.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kindNames, kindOf } from "../../src/custodian/resources.ts";
import { cases } from "./specimens/cases.ts";
import { begin, turn } from "./support.ts";

for (const { what = "", kind, make, quiet = false, mute = false, tellsLater = false } of cases) {
  test(`${what} is shut down`, async () => {
    const { custodian, errors } = begin();
    const { resource, hasEnded, cleanUp } = await make();
    assert.equal(kindOf(resource)?.name, kind);
    assert.equal(custodian.use(resource), resource);
    assert.deepEqual(custodian.managedList(), [resource]);
    assert.equal(hasEnded(), false);
    const report = await custodian.shutdownAll();
    if (tellsLater) for (let turns = 0; !hasEnded() && turns < 100; turns++) await turn();
    assert.equal(hasEnded(), true);
    assert.deepEqual([...report.errors, ...errors], []);
    await cleanUp?.();
  });

  test(`${what} that ends by itself ${quiet && mute ? "does no harm" : "leaves"}`, async () => {
    const { custodian, errors } = begin();
    const { resource, hasEnded, endByItself, cleanUp } = await make();
    custodian.use(resource);
    await endByItself();
    assert.equal(hasEnded(), true);
    if (!(quiet && mute)) assert.deepEqual(custodian.managedList(), []);
    await custodian.shutdownAll();
    assert.deepEqual(errors, []);
    await cleanUp?.();
  });

  test(`${what} that has ended ${mute ? "does no harm" : "is not taken"}`, async () => {
    const { custodian, errors } = begin();
    const { resource, endByItself, cleanUp } = await make();
    await endByItself();
    custodian.use(resource);
    if (!mute) assert.deepEqual(custodian.managedList(), []);
    if (kind !== "emitter of 'close'") await custodian.shutdownAll();
    assert.deepEqual(errors, []);
    await cleanUp?.();
  });

  test(`${what} that comes too late is closed at once`, async () => {
    const { custodian, errors } = begin();
    const { resource, hasEnded, cleanUp } = await make();
    await custodian.shutdownAll();
    assert.throws(() => custodian.use(resource), { code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN" });
    while (!hasEnded()) await turn();
    assert.deepEqual(errors, []);
    await cleanUp?.();
  });
}

test("every kind is proved with the real thing", () => {
  const proved = new Set([...cases.map(({ kind }) => kind), "custodian"]);
  assert.deepEqual(
    kindNames.filter((kind) => !proved.has(kind)),
    [],
  );
});
