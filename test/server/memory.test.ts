/** What is gone is not kept: clients come and go while others stay. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { servePorts } from "../../src/index.ts";
import { ManualClock, makePortPair } from "../../src/testing/index.ts";
import { dial, echo, until } from "../support/clients.ts";
import { skip, survivors } from "../support/survivors.ts";

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
  assert.equal(await survivors(refs), 0);
});

test(
  "answers that had to wait for their client leave nothing behind on a connection that lasts",
  { skip },
  async () => {
    const { server, client } = makePortPair();
    const waits = 1500;
    let waited = 0;
    const used: number[] = [];
    const ended = servePorts(server, server, {
      readRequest: async (connection) => {
        const line = await connection.reader.line();
        return line === null ? null : { request: line, close: false };
      },
      dispatch(connection) {
        if (waited % waits === 0) {
          globalThis.gc?.();
          used.push(process.memoryUsage().heapUsed);
        }
        connection.output.write(Buffer.alloc(100_000));
        if (connection.output.writableNeedDrain) waited++;
      },
    });
    client.resume();
    client.write("x\n".repeat(3 * waits + 1));
    client.end();
    assert.equal(await ended, "client-ended");
    assert.equal(waited, 3 * waits + 1);
    const [, before = 0, , after = 0] = used;
    const each = (after - before) / (2 * waits);
    assert.ok(each < 800, `${each} bytes each`);
  },
);
