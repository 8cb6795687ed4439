import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { serve } from "../../src/index.ts";
import type { CloseReason, Connection, RequestSource } from "../../src/index.ts";
import { currentCustodian } from "../../src/custodian/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { ask, dial, echo, everything, gate, until } from "../support/clients.ts";

test("serve resolves once it listens, and says where", async () => {
  const server = await echo();
  assert.ok(server.port > 0);
  assert.equal((server.address as AddressInfo).port, server.port);
  assert.equal(server.connections.size, 0);
  assert.equal(server.isStopping, false);
  await server.close();
});

test("requests are read and answered one after the other, until one of them closes", async () => {
  const server = await echo();
  const client = await dial(server.port);
  client.write("one\ntwo\nquit\nnever\n");
  assert.equal(await everything(client), "one\ntwo\nquit\n");
  await server.close();
});

test("a client that sends its request and FIN gets its answer", async () => {
  const server = await echo({
    dispatch: async (connection, line) => {
      await new Promise((resolve) => setImmediate(resolve));
      connection.output.write(`${line}!\n`);
    },
  });
  assert.equal(await ask(server.port, "hello\n"), "hello!\n");
  await server.close();
});

test("the program may close after a request by shouldClose", async () => {
  const server = await echo({
    dispatch: (connection, line) => {
      connection.output.write(`${line}\n`);
      connection.shouldClose = true;
    },
  });
  const client = await dial(server.port);
  client.write("one\ntwo\n");
  assert.equal(await everything(client), "one\n");
  await server.close();
});

test("readRequest is told the port and the addresses", async () => {
  const seen: RequestSource[] = [];
  const server = await echo({
    readRequest: async (connection, source) => {
      const { localAddress, localPort, remoteAddress, remotePort } = source.addresses;
      seen.push({ port: source.port, addresses: { localAddress, localPort, remoteAddress, remotePort } });
      const line = await connection.reader.line();
      return line === null ? null : { request: line, close: true };
    },
  });
  const client = await dial(server.port);
  client.write("x\n");
  const { localPort } = client;
  await everything(client);
  assert.deepEqual(seen, [
    {
      port: server.port,
      addresses: {
        localAddress: "127.0.0.1",
        localPort: server.port,
        remoteAddress: "127.0.0.1",
        remotePort: localPort,
      },
    },
  ]);
  await server.close();
});

test("a program may read the input by itself", async () => {
  const server = await serve<Buffer>({
    port: 0,
    host: "127.0.0.1",
    readRequest: async (connection) => {
      for await (const chunk of connection.input) return { request: chunk as Buffer, close: true };
      return null;
    },
    dispatch: (connection, chunk) => void connection.output.write(chunk),
  });
  const client = await dial(server.port, { allowHalfOpen: true });
  client.end("raw bytes");
  // Leaving the loop destroys the input, and with it the socket: the client sees an end, not an answer.
  await everything(client);
  await server.close();
});

test("it listens on a path, too", async () => {
  const path = join(tmpdir(), `portreeve-test-${process.pid}.sock`);
  const server = await echo({ path, port: undefined, host: undefined });
  assert.equal(server.address, path);
  assert.equal(server.port, 0);
  const client = connect(path);
  client.end("over a unix socket\n");
  assert.equal(await everything(client), "over a unix socket\n");
  await server.close();
});

test("a readRequest that fails ends its own connection, and is reported", async () => {
  const errors: [string, CloseReason | null][] = [];
  const server = await echo({
    readRequest: async (connection) => {
      const line = await connection.reader.line();
      if (line === "bad") throw new Error("not my protocol");
      return line === null ? null : { request: line, close: false };
    },
    onError: (error, connection) => errors.push([error.message, connection?.closeReason ?? null]),
  });
  const good = await dial(server.port);
  good.write("one\n");
  await once(good, "data");
  assert.equal(await ask(server.port, "bad\n"), "");
  good.write("two\n");
  const [data] = (await once(good, "data")) as [Buffer];
  assert.equal(String(data), "two\n");
  assert.deepEqual(errors, [["not my protocol", null]]);
  good.destroy();
  await server.close();
});

test("a dispatch that throws or rejects ends its own connection, and is reported", async () => {
  const errors: string[] = [];
  const reasons: (CloseReason | null)[] = [];
  const server = await echo({
    dispatch: (connection, line) => {
      void connection.closed.then((reason) => reasons.push(reason));
      if (line === "throw") throw new Error("thrown");
      if (line === "reject") return Promise.reject(new Error("rejected"));
      return connection.output.write(`${line}\n`);
    },
    onError: (error) => errors.push(error.message),
  });
  const good = await dial(server.port);
  good.write("one\n");
  await once(good, "data");
  assert.equal(await ask(server.port, "throw\n"), "");
  assert.equal(await ask(server.port, "reject\n"), "");
  await until(() => reasons.length === 2);
  assert.deepEqual(errors, ["thrown", "rejected"]);
  assert.deepEqual(reasons, ["handler-error", "handler-error"]);
  good.write("two\n");
  await once(good, "data");
  good.destroy();
  await server.close();
});

test("a dispatch that fails for a peer of its own is not taken for a departure of the client", async () => {
  const errors: string[] = [];
  const server = await echo({
    dispatch: () => Promise.reject(Object.assign(new Error("upstream reset"), { code: "ECONNRESET" })),
    onError: (error) => errors.push(error.message),
  });
  await ask(server.port, "x\n");
  assert.deepEqual(errors, ["upstream reset"]);
  await server.close();
});

test("a dispatch that fails after its connection has ended is reported, unless the end is why", async () => {
  const errors: string[] = [];
  const server = await echo({
    dispatch: async (connection, line) => {
      connection.kill();
      await connection.closed;
      if (line === "bug") throw new TypeError("a bug");
      connection.custodian.child();
    },
    onError: (error) => errors.push(error.message),
  });
  await ask(server.port, "bug\n");
  await ask(server.port, "late\n");
  await until(() => server.served === 0);
  assert.deepEqual(errors, ["a bug"]);
  await server.close();
});

test("a readRequest that gives anything but a request is told so", async () => {
  const errors: Error[] = [];
  const server = await echo({
    readRequest: (async (connection: Connection) => {
      await connection.reader.line();
      return "a request";
    }) as never,
    onError: (error) => errors.push(error),
  });
  await ask(server.port, "x\n");
  assert.match(errors[0]?.message ?? "", /readRequest: expected it to give \{ request, close: boolean \} or null/);
  await server.close();
});

test("clients that go away are nobody's error", async () => {
  const errors: Error[] = [];
  const reasons: CloseReason[] = [];
  const handling = gate();
  const server = await echo({
    dispatch: async (connection) => {
      void connection.closed.then((reason) => reasons.push(reason));
      handling.open();
      await new Promise((resolve) => connection.custodian.signal.addEventListener("abort", resolve));
      connection.output.write("into the void");
      await connection.reader.line();
    },
    onError: (error) => errors.push(error),
  });
  const client = await dial(server.port);
  client.write("hello\n");
  await handling.promise;
  client.resetAndDestroy();
  await until(() => server.served === 0);
  assert.deepEqual(reasons, ["client-reset"]);
  const half = await dial(server.port);
  half.end("half a line");
  await everything(half);
  await until(() => server.served === 0);
  assert.deepEqual(errors, []);
  await server.close();
});

test("a port that is taken is a ListenError that says so", async () => {
  const server = await echo();
  await assert.rejects(echo({ port: server.port }), {
    name: "ListenError",
    code: "ERR_PORTREEVE_LISTEN",
    systemCode: "EADDRINUSE",
    message: `cannot listen on 127.0.0.1:${server.port}: the address is taken (EADDRINUSE)`,
  });
  await server.close();
});

test("a limit that serve does not enforce is refused by name", async () => {
  await assert.rejects(echo({ safetyLimits: { maxRequestHeaders: 7 } }), {
    name: "LimitNotEnforcedError",
    limit: "maxRequestHeaders",
  });
  await assert.rejects(echo({ safetyLimits: { maxConcurrentPerClient: 7 } }), { limit: "maxConcurrentPerClient" });
});

test("the first request has requestReadTimeout, the next ones idleTimeout and then requestReadTimeout", async () => {
  const server = await echo({ safetyLimits: { requestReadTimeout: 120, idleTimeout: 250 } });
  const reasons: CloseReason[] = [];
  const silent = await dial(server.port);
  const served = await dial(server.port);
  served.write("one\n");
  await once(served, "data");
  await until(() => server.connections.size === 2);
  for (const connection of server.connections) void connection.closed.then((reason) => reasons.push(reason));
  await Promise.all([everything(silent), everything(served)]);
  await until(() => reasons.length === 2);
  assert.deepEqual(reasons, ["read-timeout", "idle-timeout"]);
  await server.close();
});

test("responseTimeout ends a handler that takes too long, unless it asks for more time", async () => {
  const clock = new ManualClock();
  const reasons: Record<string, CloseReason> = {};
  let begun = 0;
  const server = await echo({
    clock,
    safetyLimits: { responseTimeout: 100 },
    dispatch: async (connection, line) => {
      void connection.closed.then((reason) => (reasons[line] = reason));
      if (line === "patient") connection.resetTimeout("10s");
      begun++;
      await new Promise((resolve) => connection.custodian.setTimeout(() => resolve(undefined), 250));
      connection.output.write("done\n");
    },
  });
  const [slow, patient] = [ask(server.port, "slow\n"), ask(server.port, "patient\n")];
  await until(() => begun === 2);
  clock.advance(150);
  assert.equal(await slow, "");
  clock.advance(150);
  assert.equal(await patient, "done\n");
  await server.close();
  assert.deepEqual(reasons, { slow: "response-timeout", patient: "client-ended" });
});

test("with asyncContext the current custodian inside dispatch is the connection's; without it there is none", async () => {
  for (const asyncContext of [true, false]) {
    const seen: unknown[] = [];
    const server = await echo({
      asyncContext,
      dispatch: async (connection) => {
        await new Promise((resolve) => setImmediate(resolve));
        try {
          seen.push(currentCustodian() === connection.custodian);
        } catch (error) {
          seen.push((error as { code: string }).code);
        }
      },
    });
    await ask(server.port, "x\n");
    assert.deepEqual(seen, [asyncContext ? true : "ERR_PORTREEVE_NO_CURRENT_CUSTODIAN"]);
    await server.close();
  }
});

test("a client that does not take its answers is not read from", async () => {
  let read = 0;
  const server = await echo({
    readRequest: async (connection) => {
      const line = await connection.reader.line();
      read++;
      return line === null ? null : { request: line, close: false };
    },
    dispatch: (connection) => void connection.output.write(Buffer.alloc(1_000_000)),
  });
  const client = await dial(server.port);
  client.pause();
  client.write("x\n".repeat(1000));
  await until(() => [...server.connections][0]?.phase === "sending");
  assert.ok(read < 20, `${read} requests were read`);
  client.destroy();
  await server.close();
});

test("disposing of the server closes it", async () => {
  const server = await echo();
  const client = await dial(server.port);
  await server[Symbol.asyncDispose]();
  await everything(client);
  await assert.rejects(dial(server.port), { code: "ECONNREFUSED" });
});

test("a server that is made under a current custodian ends with it", async () => {
  const { makeCustodian } = await import("../../src/index.ts");
  const custodian = makeCustodian(null);
  const server = await custodian.run(() => echo());
  const client = await dial(server.port);
  const ended = everything(client);
  const { errors } = await custodian.shutdownAll();
  await ended;
  assert.deepEqual(errors, []);
  await assert.rejects(dial(server.port), { code: "ECONNREFUSED" });
});

test("a server that cannot listen leaves nothing under the current custodian", async () => {
  const { makeCustodian } = await import("../../src/index.ts");
  const custodian = makeCustodian(null);
  await assert.rejects(custodian.run(() => echo({ host: "192.0.2.1" })));
  await assert.rejects(custodian.run(() => echo({ safetyLimits: { maxRequestHeaders: 7 } })));
  assert.deepEqual(custodian.managedList(), []);
});
