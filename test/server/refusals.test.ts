import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { startTimerManager } from "../../src/timers/index.ts";
import { Refusals } from "../../src/server/refusals.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { until } from "../support/clients.ts";
import { skip, startWithDescriptors } from "../support/few-descriptors.ts";

/** A client that reads to the end of what it is told, and never hangs up. */
async function stay(port: number): Promise<{ socket: Socket; told: string }> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let told = "";
  socket.setEncoding("utf8").on("data", (text: string) => (told += text));
  socket.on("error", () => {});
  await once(socket, "end");
  return { socket, told };
}

test("of refused clients that do not hang up, the oldest are cut when there are too many, and the others when their time is over", async (t) => {
  const clock = new ManualClock();
  const timers = startTimerManager({ clock });
  const refusals = new Refusals(timers, 5000, 3);
  const refused: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    refused.push(socket);
    socket.on("error", () => {});
    socket.end("no");
    socket.resume();
    refusals.add(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  for (let i = 0; i < 6; i++) {
    const { socket, told } = await stay(port);
    t.after(() => socket.destroy());
    assert.equal(told, "no");
  }
  const open = (): boolean[] => refused.map(({ destroyed }) => !destroyed);
  assert.deepEqual(open(), [false, false, false, true, true, true]);
  assert.deepEqual([refusals.size, timers.size], [3, 3]);
  refused[4]?.destroy();
  await until(() => refusals.size === 2);
  clock.advance(5010);
  assert.deepEqual(open(), [false, false, false, false, false, false]);
  await until(() => refusals.size === 0 && timers.size === 0);
  await new Promise((closed) => server.close(closed));
});

const serverScript = `
  const { createServer } = await import("node:http");
  const { manage } = await import(process.argv[1] + "/src/index.js");
  const server = createServer(() => {}).listen(0, "127.0.0.1", () => console.log(server.address().port));
  manage(server, { safetyLimits: { maxConcurrent: 1, maxWaiting: 0, lingerTimeout: "1h" } });
`;

test("however many refused clients do not hang up, the next one is told that it is refused", { skip }, async (t) => {
  const { program, complaints } = startWithDescriptors(t, 64, serverScript);
  const [line] = (await once(program.stdout, "data")) as [Buffer];
  const port = Number(String(line));
  const served = connect(port, "127.0.0.1");
  t.after(() => served.destroy());
  await once(served, "connect");
  for (let i = 0; i < 100; i++) {
    const { socket, told } = await stay(port);
    t.after(() => socket.destroy());
    assert.match(told, /^HTTP\/1\.1 503 /, `client ${i}`);
  }
  assert.doesNotMatch(complaints(), /EMFILE|uncaught/i);
});
