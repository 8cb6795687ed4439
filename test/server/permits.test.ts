import assert from "node:assert/strict";
import { test } from "node:test";
import type { CloseReason, Connection } from "../../src/index.ts";
import { ManualClock, collectEvents } from "../../src/testing/index.ts";
import { ask, dial, echo, everything, gate, until } from "../support/clients.ts";

test("maxConcurrent are served at once; the next wait, and are served when one ends, in their order", async () => {
  const server = await echo({ safetyLimits: { maxConcurrent: 2 } });
  const first = await dial(server.port);
  const second = await dial(server.port);
  await until(() => server.served === 2);
  const third = await dial(server.port);
  third.write("third\nquit\n");
  await until(() => server.waiting === 1);
  const fourth = await dial(server.port);
  fourth.write("fourth\nquit\n");
  await until(() => server.waiting === 2);
  assert.equal(server.connections.size, 2, "a waiter is not yet a connection");
  const order: string[] = [];
  third.once("data", (data: Buffer) => order.push(String(data).split("\n")[0] ?? ""));
  fourth.once("data", (data: Buffer) => order.push(String(data).split("\n")[0] ?? ""));
  first.end();
  await everything(third);
  await everything(fourth);
  assert.deepEqual(order, ["third", "fourth"]);
  second.destroy();
  await server.close();
});

test("when maxWaiting wait, the next is refused", async () => {
  const events = collectEvents(["portreeve.admission.refused"]);
  const server = await echo({ safetyLimits: { maxConcurrent: 1, maxWaiting: 1 } });
  const served = await dial(server.port);
  await until(() => server.served === 1);
  const waiting = await dial(server.port);
  await until(() => server.waiting === 1);
  const refused = await dial(server.port);
  assert.equal(await everything(refused), "");
  assert.equal((events.messages("portreeve.admission.refused")[0] as { cause: string }).cause, "queue-full");
  events[Symbol.dispose]();
  served.destroy();
  waiting.write("my turn\nquit\n");
  assert.equal(await everything(waiting), "my turn\nquit\n");
  await server.close();
});

test("one that waits longer than waitTimeout is refused", async () => {
  const clock = new ManualClock();
  const server = await echo({
    clock,
    safetyLimits: { maxConcurrent: 1, waitTimeout: "10s", requestReadTimeout: "1h" },
  });
  const served = await dial(server.port);
  await until(() => server.served === 1);
  const waiting = await dial(server.port);
  await until(() => server.waiting === 1);
  clock.advance(9990);
  assert.equal(server.waiting, 1);
  clock.advance(20);
  assert.equal(server.waiting, 0);
  assert.equal(await everything(waiting), "");
  served.destroy();
  await server.close();
});

test("one that leaves while it waits leaves the queue; one that has sent something and then ended is answered", async () => {
  const server = await echo({ safetyLimits: { maxConcurrent: 1 } });
  const served = await dial(server.port);
  await until(() => server.served === 1);
  const leaving = await dial(server.port);
  const resetting = await dial(server.port);
  const asking = await dial(server.port, { allowHalfOpen: true });
  asking.end("a question\n");
  await until(() => server.waiting === 3);
  leaving.end();
  resetting.resetAndDestroy();
  await until(() => server.waiting === 1);
  served.destroy();
  assert.equal(await everything(asking), "a question\n");
  await server.close();
});

test("a handler that never settles keeps its permit for finalizerTimeout, and its work is published as abandoned", async () => {
  const clock = new ManualClock();
  const events = collectEvents(["portreeve.work.abandoned"]);
  const handling = gate<Connection>();
  const server = await echo({
    clock,
    dispatch: (connection) => {
      handling.open(connection);
      return new Promise(() => {});
    },
  });
  const client = await dial(server.port);
  client.write("x\n");
  const connection = await handling.promise;
  client.destroy();
  connection.kill();
  await connection.closed;
  assert.equal(server.served, 1);
  await until(() => connection.custodian.isShutDown);
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(4990);
  assert.equal(server.served, 1);
  clock.advance(20);
  assert.equal(server.served, 0);
  assert.deepEqual(events.messages("portreeve.work.abandoned"), [{ connection }]);
  events[Symbol.dispose]();
  await server.close();
});

test("a permit comes back when the custodian's closers have settled", async () => {
  const closing = gate();
  const server = await echo({
    dispatch: (connection) => {
      connection.custodian.defer(() => closing.promise);
      connection.shouldClose = true;
    },
  });
  await ask(server.port, "x\n");
  await until(() => server.connections.size === 0);
  assert.equal(server.served, 1);
  closing.open();
  await until(() => server.served === 0);
  await server.close();
});

test("bytes written just before a kill reach the client whole, a megabyte too", async () => {
  for (const size of [10, 1_000_000]) {
    const server = await echo({
      dispatch: (connection) => {
        connection.output.write(Buffer.alloc(size, "x"));
        connection.kill();
      },
    });
    const client = await dial(server.port);
    client.write("x\nand some more that nobody reads\n");
    assert.equal((await everything(client)).length, size);
    await server.close();
  }
});

test("a client that does not read its last words does not delay the end past lingerTimeout", async () => {
  const server = await echo({
    safetyLimits: { lingerTimeout: 200 },
    dispatch: (connection) => {
      connection.output.write(Buffer.alloc(20_000_000));
      connection.kill();
    },
  });
  const client = await dial(server.port);
  client.pause();
  client.write("x\n");
  await until(() => server.connections.size === 1);
  const [connection] = server.connections;
  assert.ok(connection);
  await until(() => connection.closeReason !== null);
  const since = performance.now();
  assert.equal(await connection.closed, "killed");
  const took = performance.now() - since;
  assert.ok(took >= 150 && took < 1000, `${took} ms`);
  client.destroy();
  await server.close();
});

test("the reason of every end reaches whoever asks", async () => {
  const reasons: CloseReason[] = [];
  const server = await echo({
    dispatch: (connection, line) => {
      void connection.closed.then((reason) => reasons.push(reason));
      connection.kill(line as CloseReason);
    },
  });
  for (const reason of ["evicted", "abuse", "refused", "limit"] satisfies CloseReason[]) {
    const client = await dial(server.port);
    client.write(`${reason}\n`);
    await everything(client);
  }
  await until(() => reasons.length === 4);
  assert.deepEqual(reasons, ["evicted", "abuse", "refused", "limit"]);
  await server.close();
});
