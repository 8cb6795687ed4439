import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { makeCustodian, newConnection, startConnectionManager } from "../../src/index.ts";
import { ManualClock, collectEvents, makePortPair } from "../../src/testing/index.ts";

test("the example of portreeve/testing works", async () => {
  const clock = new ManualClock();
  const manager = startConnectionManager({ clock });
  const { server, client } = makePortPair();
  client.on("end", () => client.end()).resume();
  const connection = newConnection(manager, "1s", server, server, makeCustodian(null), false);
  clock.advance("1s");
  assert.equal(await connection.closed, "read-timeout");
});

test("what one end writes the other reads, and ends are told", async () => {
  const { server, client } = makePortPair();
  client.end("question");
  let received = "";
  server.on("data", (chunk: Buffer) => (received += String(chunk)));
  await once(server, "end");
  assert.equal(received, "question");
  assert.equal(server.writable, true, "the other direction stays open");
  server.end("answer");
  assert.equal(String(Buffer.concat((await client.toArray()) as Buffer[])), "answer");
  assert.equal(client.bytesRead, 6);
  assert.equal(server.bytesWritten, 6);
});

test("an end that is not read from exerts backpressure", async () => {
  const { server, client } = makePortPair();
  client.pause();
  while (server.write(Buffer.alloc(1000)));
  assert.equal(server.writableNeedDrain, true);
  assert.equal(server.bytesWritten > server.writableLength, true);
  client.resume();
  await once(server, "drain");
  assert.equal(server.writableLength, 0);
});

test("an end that is destroyed is a reset for the other", async () => {
  const { server, client } = makePortPair();
  client.destroy();
  const [error] = (await once(server, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
  assert.equal(server.destroyed, true);
});

test("events are collected from the beginning to the disposal, all or by name", async () => {
  const all = collectEvents();
  const closed = collectEvents(["portreeve.connection.closed"]);
  const live = async (): Promise<void> => {
    const { server, client } = makePortPair();
    client.on("error", () => {});
    const connection = newConnection(startConnectionManager(), server, server, makeCustodian(null), false);
    connection.kill("evicted");
    client.end();
    await connection.closed;
  };
  await live();
  all[Symbol.dispose]();
  closed[Symbol.dispose]();
  const before = all.events.length;
  await live();
  assert.equal(all.events.length, before);
  assert.equal(all.messages("portreeve.connection.opened").length, 1);
  assert.deepEqual(
    closed.events.map(({ name }) => name),
    ["portreeve.connection.closed"],
  );
});
