import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import net from "node:net";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { startTimer, startTimerManager } from "../../src/timers/index.ts";
import type { Timer } from "../../src/timers/index.ts";

/** Nothing else runs meanwhile: what a slow handler does to everyone. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test("on the clock of the process a thousand timers fire, none of them early", async () => {
  const manager = startTimerManager();
  const early: number[] = [];
  let left = 1000;
  const alive = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => {
    for (let i = 0; i < 1000; i++) {
      const timer = startTimer(manager, (i * 7) % 301, () => {
        if (performance.now() < timer.deadline) early.push(timer.deadline);
        if (--left === 0) resolve();
      });
      if (i % 3 === 0) timer.reset((i * 11) % 301);
    }
  });
  clearInterval(alive);
  assert.deepEqual(early, []);
  assert.equal(manager.size, 0);
});

test("of many long timers that are started at once none is early, however long the program goes on in between", () => {
  const manager = startTimerManager();
  const started: { timer: Timer; begun: number }[] = [];
  for (let i = 0; i < 500; i++) {
    // In the middle of the burst the program stays away for long.
    if (i === 250) block(30);
    const begun = performance.now();
    started.push({ timer: startTimer(manager, "1m", () => {}), begun });
  }
  block(10);
  const ended = performance.now();
  for (const { timer, begun } of started) {
    assert.ok(timer.deadline - begun >= 60_000, "not early");
    assert.ok(timer.deadline - ended <= 60_000 + 1, "nor later than from the end of the burst");
  }
});

test("of many short timers that are started at once each counts from its own start", () => {
  const manager = startTimerManager();
  const started: { timer: Timer; after: number }[] = [];
  for (let i = 0; i < 500; i++) {
    if (i % 100 === 50) block(5);
    started.push({ timer: startTimer(manager, "1s", () => {}), after: performance.now() });
  }
  block(10);
  for (const { timer, after } of started) assert.ok(timer.deadline - after <= 1000);
});

test("a deadline already past fires after the code that set it has run to its end, promises included", async () => {
  const alive = setInterval(() => {}, 1000);
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    startTimer(startTimerManager(), 0, () => {
      order.push("timer");
      resolve();
    });
    void Promise.resolve().then(() => order.push("promise"));
    order.push("call");
  });
  clearInterval(alive);
  assert.deepEqual(order, ["call", "promise", "timer"]);
});

test("bytes that came while the loop was blocked are read before the deadline of a client is judged", async (t) => {
  const server = net.createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const client = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  const [[socket]] = (await Promise.all([once(server, "connection"), once(client, "connect")])) as [
    [net.Socket],
    unknown,
  ];
  t.after(() => client.destroy());
  t.after(() => socket.destroy());

  const manager = startTimerManager({ forgiving: true });
  const order: string[] = [];
  const fired = new Promise<void>((resolve) => {
    // Blocked in the phase in which Node runs its timers, with ours due: the worst case.
    setTimeout(() => {
      startTimer(manager, 20, () => {
        order.push("deadline");
        resolve();
      });
      client.write("here I am");
      block(100);
    }, 1);
  });
  socket.once("data", () => order.push("bytes"));
  await fired;
  assert.deepEqual(order, ["bytes", "deadline"]);
});

test("an action runs in nobody's async context, whoever else has a timer on the same manager", async () => {
  const storage = new AsyncLocalStorage<string>();
  const manager = startTimerManager();
  const alive = setInterval(() => {}, 1000);
  const seen = await new Promise<unknown[]>((resolve) => {
    const contexts: unknown[] = [];
    // The first wake-up is asked for within this context, and each asks for the next.
    storage.run("of somebody else", () => manager.start(1, () => contexts.push(storage.getStore())));
    manager.start(50, () => resolve([...contexts, storage.getStore()]));
  });
  clearInterval(alive);
  assert.deepEqual(seen, [undefined, undefined]);
});
