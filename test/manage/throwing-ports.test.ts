import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import { manage } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";

/** A transport of the program's own that is gone, and says so to whoever writes. */
class Gone extends Duplex {
  override _read(): void {}
  override _write(): void {
    throw new Error("the transport is gone");
  }
}

test("a connection whose last words cannot be written ends all the same, gives its place back and takes no other with it", async (t) => {
  const clock = new ManualClock();
  const errors: Error[] = [];
  const server = createServer(() => {});
  const managed = manage(server, {
    clock,
    safetyLimits: { responseTimeout: "10s", maxConcurrent: 3 },
    onError: (error) => errors.push(error),
  });
  t.after(() => managed.close());
  const clients = [new Gone(), new Gone(), new Gone()];
  for (const client of clients) {
    server.emit("connection", client);
    client.push("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  await turn();
  const connections = [...managed.connections];
  assert.deepEqual(
    connections.map(({ phase }) => phase),
    ["handling", "handling", "handling"],
  );
  clock.advance(10_100);
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual(
    connections.map(({ closeReason, phase }) => `${closeReason} ${phase}`),
    Array.from({ length: 3 }, () => "response-timeout closed"),
  );
  assert.deepEqual(
    errors.map(({ message }) => message),
    Array.from({ length: 3 }, () => "the transport is gone"),
  );
  assert.equal(managed.connections.size, 0);
  assert.deepEqual(
    clients.map(({ destroyed }) => destroyed),
    [true, true, true],
  );
});
