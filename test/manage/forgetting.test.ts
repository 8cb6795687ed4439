/**
 * A program that lives on keeps nothing of servers that it has managed for a while.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { makeCustodian, manage } from "../../src/index.ts";
import type { Clock, Wakeup } from "../../src/core/clock.ts";
import type { Managed } from "../../src/manage/managed.ts";
import { get, settle } from "../protocols/http1/web.ts";
import { connectTo } from "../support/tcp-client.ts";
import { skip, survivors } from "../support/survivors.ts";

test("servers that are given back leave the custodian under which they were managed", () => {
  const owner = makeCustodian(null);
  for (let i = 0; i < 10; i++) owner.run(() => manage(createServer())).detach();
  assert.deepEqual(owner.managedList(), []);
});

test("servers that could not be managed leave nothing under the current custodian", () => {
  const owner = makeCustodian(null);
  for (let i = 0; i < 10; i++) {
    assert.throws(() => owner.run(() => manage(createServer(), { onError: "no function" as never })), /onError/);
  }
  assert.deepEqual(owner.managedList(), []);
});

/** A server is managed, has answered one client, and is done with in some way. */
async function visit(t: TestContext, end: (managed: Managed) => unknown): Promise<WeakRef<object>> {
  const server = createServer((_request, response) => response.end("ok"));
  const managed = manage(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = await connectTo(t, (server.address() as AddressInfo).port);
  client.write(get("/"));
  await client.gets(/ok$/);
  await end(managed);
  client.socket.destroy();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
  return new WeakRef(managed);
}

const endings: Record<string, (managed: Managed) => unknown> = {
  closed: (managed) => managed.close(),
  drained: (managed) => managed.drain({ grace: 0 }),
  "given back": (managed) => managed.detach(),
};

for (const [how, end] of Object.entries(endings)) {
  test(`what has managed a server that was ${how} is forgotten`, { skip }, async (t) => {
    const refs: WeakRef<object>[] = [];
    for (let i = 0; i < 20; i++) refs.push(await visit(t, end));
    await settle();
    assert.equal(await survivors(refs), 0);
  });
}

/** The clock of the process, which knows who waits for it. */
class WatchedClock implements Clock {
  readonly waits: Map<Wakeup, number> = new Map();

  now(): number {
    return performance.now();
  }

  wakeAfter(ms: number, wake: () => void): Wakeup {
    const wakeup = setTimeout(() => {
      this.waits.delete(wakeup);
      wake();
    }, ms).unref();
    this.waits.set(wakeup, ms);
    return wakeup;
  }

  cancelWakeup(wakeup: Wakeup): void {
    clearTimeout(wakeup as NodeJS.Timeout);
    this.waits.delete(wakeup);
  }
}

for (const end of ["close", "drain", "detach"] as const) {
  test(`after ${end} no deadline of a client is waited for any more`, async (t) => {
    const clock = new WatchedClock();
    const server = createServer((_request, response) => response.end("ok"));
    const managed = manage(server, { clock });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const client = await connectTo(t, (server.address() as AddressInfo).port);
    client.write(get("/"));
    await client.gets(/ok$/);
    const long = (): number[] => [...clock.waits.values()].filter((ms) => ms > 10_000);
    assert.notDeepEqual(long(), []);
    await managed[end]();
    client.socket.destroy();
    await settle();
    assert.deepEqual(long(), []);
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });
}
