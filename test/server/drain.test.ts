import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { CloseReason } from "../../src/index.ts";
import { collectEvents } from "../../src/testing/index.ts";
import { dial, echo, everything, gate, until } from "../support/clients.ts";

/** A handler that answers when its gate opens. */
function slowly() {
  const handling = gate();
  const answer = gate();
  const dispatch = async (connection: { output: { write(text: string): unknown } }, line: string): Promise<void> => {
    handling.open();
    await answer.promise;
    connection.output.write(`${line}\n`);
  };
  return { handling, answer, dispatch };
}

test("draining lets the request in flight finish, and ends the idle at once", async () => {
  const { handling, answer, dispatch } = slowly();
  const server = await echo({ dispatch });
  const idle = await dial(server.port);
  const busy = await dial(server.port);
  await until(() => server.connections.size === 2);
  busy.write("work\n");
  await handling.promise;
  const draining = server.drain({ grace: "10s" });
  assert.equal(server.isStopping, true);
  assert.equal(await everything(idle), "");
  await assert.rejects(dial(server.port), { code: "ECONNREFUSED" });
  answer.open();
  assert.equal(await everything(busy), "work\n");
  const { duration, ...report } = await draining;
  assert.ok(duration < 5000);
  assert.deepEqual(report, { idle: 1, finished: 1, cut: [], refused: 0 });
  assert.equal(server.connections.size, 0);
});

test("requests that have arrived already are answered during a drain", async () => {
  const { handling, answer, dispatch } = slowly();
  const server = await echo({ dispatch });
  const client = await dial(server.port);
  client.write("one\ntwo\nthree\n");
  await handling.promise;
  const draining = server.drain({ grace: "10s" });
  answer.open();
  assert.equal(await everything(client), "one\ntwo\nthree\n");
  assert.equal((await draining).finished, 1);
});

test("a half-sent request gets its chance during a drain", async () => {
  const server = await echo();
  const client = await dial(server.port);
  client.write("half");
  await until(() => [...server.connections][0]?.phase === "reading");
  const draining = server.drain({ grace: "10s" });
  client.write(" and half\n");
  assert.equal(await everything(client), "half and half\n");
  assert.equal((await draining).finished, 1);
});

test("at the grace period the rest is cut, and the report says who, in which phase and why", async () => {
  const { handling, dispatch } = slowly();
  const server = await echo({ dispatch });
  const busy = await dial(server.port);
  busy.write("work\n");
  await handling.promise;
  const half = await dial(server.port);
  half.write("half");
  await until(() => server.connections.countByPhase().reading === 1);
  const ids = Array.from(server.connections, (connection) => connection.id);
  const report = await server.drain({ grace: 150 });
  assert.deepEqual(
    report.cut.map(({ id, phase, reason }) => ({ id, phase, reason })),
    [
      { id: ids[0], phase: "handling", reason: "drain-cut" },
      { id: ids[1], phase: "reading", reason: "drain-cut" },
    ],
  );
  assert.ok(report.duration >= 150 && report.duration < 400, `${report.duration} ms`);
  await Promise.all([everything(busy), everything(half)]);
});

test("clients that never close their side do not hold a drain beyond its grace period", async () => {
  const server = await echo();
  const clients = await Promise.all(Array.from({ length: 5 }, () => dial(server.port, { allowHalfOpen: true })));
  await until(() => server.connections.size === 5);
  const report = await server.drain({ grace: 100 });
  assert.ok(report.duration < 350, `${report.duration} ms`);
  assert.equal(report.idle, 5);
  for (const client of clients) client.destroy();
});

test("a closer that hangs does not hold a drain beyond its grace period", async () => {
  const { handling, dispatch } = slowly();
  const server = await echo({
    dispatch: (connection, line) => {
      connection.custodian.defer(() => new Promise(() => {}));
      return dispatch(connection, line);
    },
  });
  const client = await dial(server.port);
  client.write("x\n");
  await handling.promise;
  const since = performance.now();
  // A server that is stopping keeps no process alive: here the test must.
  const alive = setInterval(() => {}, 1000);
  await server.drain({ grace: 100 });
  clearInterval(alive);
  const took = performance.now() - since;
  assert.ok(took < 450, `${took} ms`);
});

test("deadlines stay in force in a drain", async () => {
  const { handling, dispatch } = slowly();
  const server = await echo({ dispatch, safetyLimits: { responseTimeout: 150 } });
  const client = await dial(server.port);
  client.write("x\n");
  await handling.promise;
  const report = await server.drain({ grace: "1m" });
  assert.deepEqual(
    report.cut.map(({ reason, phase }) => [reason, phase]),
    [["response-timeout", "handling"]],
  );
});

test("those who wait for a permit are refused in a drain, and counted", async () => {
  const server = await echo({ safetyLimits: { maxConcurrent: 1 } });
  const served = await dial(server.port);
  await until(() => server.served === 1);
  const waiting = await dial(server.port);
  await until(() => server.waiting === 1);
  const report = await server.drain({ grace: "5s" });
  assert.equal(report.refused, 1);
  await Promise.all([everything(served), everything(waiting)]);
});

test("without a grace period a drain cuts at once, as in Racket; the limit shutdownGracePeriod grants one", async () => {
  for (const [shutdownGracePeriod, expected] of [
    [null, "drain-cut"],
    [0, "drain-cut"],
    ["10s", "drained"],
  ] as const) {
    const { handling, answer, dispatch } = slowly();
    const server = await echo({ dispatch, safetyLimits: { shutdownGracePeriod } });
    const client = await dial(server.port);
    client.write("x\n");
    await handling.promise;
    const [connection] = server.connections;
    const draining = server.drain();
    answer.open();
    await draining;
    assert.equal(connection?.closeReason, expected);
    client.destroy();
  }
});

test("stop drains first and closes second; both resolve", async () => {
  const { handling, dispatch } = slowly();
  const server = await echo({ dispatch });
  const client = await dial(server.port);
  client.write("x\n");
  await handling.promise;
  const [connection] = server.connections;
  const first = server.stop({ grace: "Infinity" });
  const second = server.stop();
  const report = await second;
  assert.equal(await first, report);
  assert.equal(connection?.closeReason, "server-closed");
  assert.deepEqual(
    report.cut.map(({ reason }) => reason),
    ["server-closed"],
  );
});

test("a second drain gives the same report; close after it does nothing more", async () => {
  const server = await echo();
  const first = server.drain();
  assert.equal(server.drain({ grace: "1h" }), first);
  await first;
  await server.close();
  await server.close();
  assert.deepEqual(await server.stop(), await first);
});

test("close ends every connection now, whatever it does", async () => {
  const reasons: CloseReason[] = [];
  const { handling, dispatch } = slowly();
  const server = await echo({ dispatch });
  const idle = await dial(server.port, { allowHalfOpen: true });
  const busy = await dial(server.port, { allowHalfOpen: true });
  busy.write("x\n");
  await handling.promise;
  for (const connection of server.connections) void connection.closed.then((reason) => reasons.push(reason));
  const since = performance.now();
  await server.close();
  assert.ok(performance.now() - since < 300);
  await until(() => reasons.length === 2);
  assert.deepEqual(reasons, ["server-closed", "server-closed"]);
  idle.destroy();
  busy.destroy();
});

test("a drain is published, with its report", async () => {
  const events = collectEvents(["portreeve.drain.started", "portreeve.drain.finished"]);
  const server = await echo();
  const report = await server.drain({ grace: "1s" });
  events[Symbol.dispose]();
  const [started] = events.messages("portreeve.drain.started") as { grace: number }[];
  const [finished] = events.messages("portreeve.drain.finished") as { report: unknown }[];
  assert.equal(started?.grace, 1000);
  assert.equal(finished?.report, report);
});

test("a client that keeps sending gets its answers until the drain, not after it", async () => {
  const server = await echo();
  const client = await dial(server.port);
  let received = "";
  client.on("data", (data: Buffer) => {
    received += String(data);
    client.write("more\n");
  });
  client.write("first\n");
  await until(() => received.length > 50);
  const report = await server.drain({ grace: "5s" });
  assert.equal(report.cut.length, 0);
  if (!client.closed) await once(client, "close");
});
