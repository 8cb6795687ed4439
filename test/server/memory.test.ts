/** What is gone is not kept: clients come and go while others stay. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ManualClock } from "../../src/testing/index.ts";
import { dial, echo, until } from "../support/clients.ts";

const { gc } = globalThis;
const skip = gc === undefined && "needs --expose-gc";

test("work that never ends keeps no connection that has, once it was given up", { skip }, async (t) => {
  const clock = new ManualClock();
  const refs: WeakRef<object>[] = [];
  const server = await echo({
    clock,
    dispatch(connection) {
      refs.push(new WeakRef(connection), new WeakRef(connection.input));
      return new Promise<never>(() => {});
    },
  });
  t.after(() => server.close());
  await dial(server.port);
  for (let i = 1; i <= 10; i++) {
    const client = await dial(server.port);
    client.write("wait for ever\n");
    await until(() => refs.length === 2 * i);
    client.resetAndDestroy();
    await until(() => server.connections.size === 1);
  }
  clock.advance("10s");
  assert.equal(server.served, 1);
  await turn();
  gc?.();
  assert.equal(refs.filter((ref) => ref.deref() !== undefined).length, 0);
});
