/**
 * What the kernel holds of what was sent: asked for one socket among all, over every kind of address.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { Socket, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { KernelTable } from "../../src/connection/kernel-table.ts";
import { systemClock } from "../../src/core/clock.ts";
import { handleQueue } from "../../src/core/node-internals.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { kernelIsMute } from "../support/kernel.ts";
import { until } from "../support/rounds.ts";

const much = 30 * 2 ** 20;

/** A socket of a server that has sent more than any kernel takes, to a client that does not read. */
async function sender(t: TestContext, host: string, from: string): Promise<{ socket: Socket; client: Socket }> {
  const server = createServer();
  t.after(() => server.close());
  await once(server.listen(0, host), "listening");
  const client = connect({ port: (server.address() as AddressInfo).port, host: from });
  t.after(() => client.destroy());
  const [socket] = (await once(server, "connection")) as [Socket];
  t.after(() => socket.destroy());
  client.on("error", () => {}).pause();
  socket.on("error", () => {}).write(Buffer.alloc(much));
  await until(() => handleQueue(socket) > 0);
  return { socket, client };
}

const ask = (table: KernelTable, socket: Socket): Promise<number | undefined> =>
  new Promise((resolve) => {
    table.ask(socket, resolve);
  });

for (const [name, host, from] of [
  ["an IPv4 address", "127.0.0.1", "127.0.0.1"],
  ["an IPv6 address", "::1", "::1"],
  ["a client of IPv4 on a server of IPv6", "::", "127.0.0.1"],
] as const) {
  test(`it tells what waits for a client that does not read, over ${name}`, { skip: kernelIsMute }, async (t) => {
    const { socket, client } = await sender(t, host, from);
    const table = new KernelTable(systemClock);
    const before = (await ask(table, socket)) ?? 0;
    assert.ok(before > 0 && before < much, `${before} bytes`);
    assert.equal(await ask(table, client), 0, "who sends nothing has nothing waiting");
    client.resume();
    await until(() => handleQueue(socket) === 0 && client.bytesRead === much);
    assert.equal(await ask(table, socket), 0);
  });
}

test("all who ask while it reads are answered by the next reading", { skip: kernelIsMute }, async (t) => {
  const table = new KernelTable(systemClock);
  const { socket, client } = await sender(t, "127.0.0.1", "127.0.0.1");
  const other = await sender(t, "::1", "::1");
  const answers = await Promise.all([ask(table, socket), ask(table, client), ask(table, other.socket)]);
  assert.deepEqual(
    answers.map((bytes) => bytes !== undefined && bytes > 0),
    [true, false, true],
  );
});

test("nobody knows of a socket that is closed, of one without an address, and without a table", async (t) => {
  const { socket } = await sender(t, "127.0.0.1", "127.0.0.1");
  const table = new KernelTable(systemClock);
  assert.equal(await ask(table, new Socket()), undefined);
  const nowhere = new KernelTable(systemClock, "/nowhere");
  assert.equal(await ask(nowhere, socket), undefined);
  let later: number | undefined = -1;
  nowhere.ask(socket, (bytes) => (later = bytes));
  assert.equal(later, undefined, "at once, since it is known that there is none");
  socket.destroy();
  await once(socket, "close");
  assert.equal(await ask(table, socket), undefined);
});

test("a table that is no table answers nobody", async (t) => {
  const { socket } = await sender(t, "127.0.0.1", "127.0.0.1");
  const folder = mkdtempSync(join(tmpdir(), "portreeve-table-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "tcp"), "\n: :\nsl local rem\n0:\n 0: 0100007F:0001 0100007F:0002 01 zzz\n");
  assert.equal(await ask(new KernelTable(systemClock, folder), socket), undefined);
});

test(
  "after a reading that took long it rests, and then reads for all who have asked meanwhile",
  { skip: kernelIsMute },
  async (t) => {
    const { socket, client } = await sender(t, "127.0.0.1", "127.0.0.1");
    const clock = new ManualClock();
    const table = new KernelTable(clock);
    const first = ask(table, socket);
    clock.stall(20);
    await first;
    const answered: string[] = [];
    const [second, third] = [
      ask(table, socket).then(() => answered.push("second")),
      ask(table, client).then(() => answered.push("third")),
    ];
    await until(() => clock.pending === 1);
    clock.advance(999);
    assert.ok((await ask(new KernelTable(systemClock), socket)) !== undefined, "another table has been read meanwhile");
    assert.deepEqual(answered, [], "fifty times as long as the reading took");
    clock.advance(1);
    await Promise.all([second, third]);
    assert.equal(answered.length, 2);
  },
);
