import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connectionOf, custodianOf, requestOf } from "../../src/index.ts";
import type { Custodian, ManagedRequest } from "../../src/index.ts";
import { gate } from "../support/clients.ts";
import { deafUpstream } from "../support/upstream.ts";
import { answers, get, settle, startWeb, until } from "../protocols/http1/web.ts";

for (const [name, leave] of [
  ["closes", (client) => client.socket.destroy()],
  ["resets", (client) => client.socket.resetAndDestroy()],
] as readonly [string, (client: Awaited<ReturnType<Awaited<ReturnType<typeof startWeb>>["connect"]>>) => unknown][]) {
  test(`a handler that awaits a fetch with the request's signal stops when its client ${name}; the upstream sees it`, async (t) => {
    const upstream = await deafUpstream(t);
    const stopped = gate();
    const web = await startWeb(t, async (request, response) => {
      await fetch(upstream.url, { signal: custodianOf(request).signal }).catch(() => stopped.open());
      response.end();
    });
    const client = await web.connect();
    client.write(get("/"));
    await until(() => web.server.connections.countByPhase().handling === 1);
    // The fetch has to reach the upstream first.
    await upstream.asked;
    leave(client);
    await Promise.all([stopped.promise, upstream.left]);
    assert.equal(web.clock.now(), 0, "no timer stood between");
  });
}

test("what a request owns ends with it: a file, a child process, a timer, a callback", async (t) => {
  const ends: string[] = [];
  let child: ChildProcess | undefined;
  const web = await startWeb(t, (request, response) => {
    const own = custodianOf(response);
    assert.equal(own, custodianOf(request), "by its request and by its response");
    child = own.use(spawn("sleep", ["60"]));
    own.defer(() => ends.push("callback"));
    own.setTimeout(() => ends.push("timer"), "1m");
    response.end("ok");
  });
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/ok$/);
  await until(() => child?.signalCode !== null);
  assert.equal(child?.signalCode, "SIGTERM");
  await web.pass(120_000);
  assert.deepEqual(ends, ["callback"]);
});

test("the next request on a connection has an owner and a deadline of its own", async (t) => {
  const seen: { request: ManagedRequest; owner: Custodian }[] = [];
  const web = await startWeb(t, (request, response) => {
    seen.push({ request: requestOf(request), owner: custodianOf(request) });
    response.end("ok");
  });
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/ok$/);
  await settle();
  client.write(get("/"));
  await client.gets(/ok[^]*ok$/);
  await until(() => seen.length === 2 && seen[1]?.request.ended === true);
  const [first, second] = seen;
  assert.ok(first !== undefined && second !== undefined);
  assert.notEqual(first.request, second.request);
  assert.notEqual(first.owner, second.owner);
  assert.ok(first.owner.isShutDown && second.owner.isShutDown);
  assert.equal(first.request.resetTimeout("1m"), false, "it is over");
});

test("the signal of a request aborts at its deadline, and the client gets 503", async (t) => {
  let signal: AbortSignal | undefined;
  const web = await startWeb(t, (request) => void (signal = requestOf(request).signal), { responseTimeout: "2s" });
  const client = await web.connect();
  client.write(get("/"));
  await until(() => signal !== undefined);
  assert.equal(signal?.aborted, false);
  await web.pass(2000);
  assert.equal(signal?.aborted, true);
  assert.equal(answers(await client.all())[0]?.status, 503);
});

test("a request may move its own deadline, later and earlier, and no other's", async (t) => {
  const responses: { request: IncomingMessage; response: ServerResponse }[] = [];
  const web = await startWeb(t, (request, response) => void responses.push({ request, response }), {
    responseTimeout: "2s",
  });
  const [patient, hasty, plain] = await Promise.all([web.connect(), web.connect(), web.connect()]);
  for (const client of [patient, hasty, plain]) {
    client.write(get("/"));
    const count = responses.length;
    await until(() => responses.length > count);
  }
  const [first, second] = responses.map(({ request }) => requestOf(request));
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(first.deadline, 2000);
  assert.equal(first.resetTimeout("5m"), true);
  assert.equal(first.adjustTimeout("-1m"), true);
  assert.equal(first.deadline, 240_000);
  assert.equal(second.resetTimeout("1s"), true);
  await web.pass(1000);
  assert.equal(answers(await hasty.all())[0]?.status, 503);
  await web.pass(1000);
  assert.equal(answers(await plain.all())[0]?.status, 503);
  for (let i = 0; i < 10; i++) await web.pass(20_000);
  assert.equal(patient.received, "");
  responses[0]?.response.end("at last");
  await patient.gets(/at last$/);
});

test("a deadline that the program moved stays in force until the response has been sent", async (t) => {
  const web = await startWeb(t, (request, response) => {
    requestOf(request).resetTimeout("5s");
    response.writeHead(200, { "Content-Type": "text/event-stream" }).write("data: one\n\n");
  });
  const client = await web.connect();
  client.write(get("/"));
  await client.gets(/one/);
  await web.pass(4990);
  assert.equal(web.server.connections.size, 1);
  await web.pass(20);
  await client.ended;
  client.end();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.ends(), ["response-timeout while sending"]);
});

test("several requests at once on one connection: each moves its own deadline, in force from its turn on", async (t) => {
  const responses: ServerResponse[] = [];
  const web = await startWeb(
    t,
    (request, response) => {
      responses.push(response);
      if (request.url === "/second") requestOf(request).resetTimeout("10s");
    },
    { responseTimeout: "2s" },
  );
  const client = await web.connect();
  client.write(get("/first") + get("/second"));
  await until(() => responses.length === 2);
  responses[0]?.end("first");
  await client.gets(/first$/);
  await settle();
  await web.pass(9000);
  assert.equal(web.server.connections.size, 1);
  responses[1]?.end("second");
  await client.gets(/second$/);
});

test("what belongs to no request says so: another object, a request of another server", async (t) => {
  const bare = createServer((request, response) => {
    assert.throws(() => requestOf(request), { code: "ERR_PORTREEVE_NOT_MANAGED" });
    assert.throws(() => custodianOf(response), { code: "ERR_PORTREEVE_NOT_MANAGED" });
    response.end("bare");
  });
  await once(bare.listen(0, "127.0.0.1"), "listening");
  t.after(() => bare.close());
  const url = `http://127.0.0.1:${(bare.address() as AddressInfo).port}`;
  assert.equal(await (await fetch(url, { headers: { connection: "close" } })).text(), "bare");
});

test("a handler that asks for an owner after its client has left finds one that is shut down", async (t) => {
  let asked: Custodian | undefined;
  const web = await startWeb(t, async (request) => {
    while (connectionOf(request)?.closeReason === null) await settle();
    asked = custodianOf(request);
  });
  const client = await web.connect();
  client.write(get("/"));
  await until(() => web.server.connections.countByPhase().handling === 1);
  client.socket.resetAndDestroy();
  await until(() => asked !== undefined);
  assert.equal(asked?.isShutDown, true);
  assert.equal(asked?.signal.aborted, true);
});

test("a program that never asks enters no async context", async (t) => {
  const { run, enterWith } = AsyncLocalStorage.prototype;
  let entered = 0;
  const counted = <T extends (...args: never[]) => unknown>(method: T): T =>
    function (this: unknown, ...args: never[]) {
      entered++;
      return method.apply(this, args);
    } as unknown as T;
  AsyncLocalStorage.prototype.run = counted(run);
  AsyncLocalStorage.prototype.enterWith = counted(enterWith);
  t.after(() => Object.assign(AsyncLocalStorage.prototype, { run, enterWith }));
  const web = await startWeb(t, (_request, response) => response.end("ok"));
  const client = await web.connect();
  for (let i = 1; i <= 5; i++) {
    client.write(get("/"));
    await client.gets(new RegExp(`(ok[^]*){${i}}$`));
  }
  assert.equal(entered, 0);
});
