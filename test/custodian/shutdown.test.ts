/**
 * How a shutdown goes: its order, its errors, its bound, and what closers may do while it is under way.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { makeCustodian } from "../../src/custodian/index.ts";
import type { Custodian } from "../../src/custodian/index.ts";
import { begin, turn } from "./support.ts";

const never = () => new Promise<void>(() => {});

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => (settled = true);
  promise.then(note, note);
  await turn();
  return settled;
}

test("everything is told to end newest first, children in their place, before shutdownAll returns", () => {
  const { custodian } = begin();
  const calls: string[] = [];
  custodian.defer(() => calls.push("oldest"));
  const child = custodian.child();
  child.defer(() => calls.push("older in the child"));
  custodian.defer(() => calls.push("newest"));
  child.defer(() => calls.push("newer in the child"));
  void custodian.shutdownAll();
  assert.deepEqual(calls, ["newest", "newer in the child", "older in the child", "oldest"]);
});

test("the promise settles when every closer has, those of children included", async () => {
  const { custodian } = begin();
  const settle: (() => void)[] = [];
  const slow = () => new Promise<void>((resolve) => settle.push(resolve));
  custodian.defer(slow);
  custodian.child().defer(slow);
  const shutdown = custodian.shutdownAll();
  assert.equal(await isSettled(shutdown), false);
  settle[0]?.();
  assert.equal(await isSettled(shutdown), false);
  settle[1]?.();
  assert.equal(await isSettled(shutdown), true);
});

test("shutting down again does nothing and waits for the same end", async () => {
  const { custodian } = begin();
  const reasons: unknown[] = [];
  custodian.defer(async (reason) => {
    reasons.push(reason);
    await turn();
    throw new Error("late");
  });
  const [first, second] = await Promise.all([custodian.shutdownAll("first"), custodian.shutdownAll("second")]);
  const third = await custodian.shutdownAll("third");
  assert.deepEqual(reasons, ["first"]);
  for (const { errors } of [first, second, third]) assert.equal(errors.length, 1);
});

test("errors of closers are gathered, reported once with their custodian, published, and stop nothing", async () => {
  const published: unknown[] = [];
  const publish = (message: unknown) => published.push(message);
  subscribe("portreeve.custodian.error", publish);
  const reported: [string, Custodian][] = [];
  const custodian = makeCustodian(null, { onError: (error, owner) => reported.push([error.message, owner]) });
  const child = custodian.child();
  const calls: string[] = [];
  custodian.defer(() => calls.push("reached"));
  child.defer(() => Promise.reject(new Error("rejected")));
  child.defer(() => {
    throw "thrown text"; // oxlint-disable-line no-throw-literal, typescript/only-throw-error
  });
  custodian.defer(() => {
    throw new Error("thrown");
  });
  const { errors } = await custodian.shutdownAll();
  unsubscribe("portreeve.custodian.error", publish);
  const messages = ["thrown", 'thrown value: "thrown text"', "rejected"];
  assert.deepEqual(calls, ["reached"]);
  assert.deepEqual(
    errors.map(({ message }) => message),
    messages,
  );
  assert.deepEqual(reported, [
    [messages[0], custodian],
    [messages[1], child],
    [messages[2], child],
  ]);
  assert.deepEqual(
    published,
    errors.map((error, i) => ({ custodian: reported[i]?.[1], error })),
  );
});

test("an error handler that throws breaks no shutdown", async () => {
  const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
  const custodian = makeCustodian(null, {
    onError() {
      throw new Error("the handler failed");
    },
  });
  const calls: string[] = [];
  custodian.defer(() => calls.push("reached"));
  custodian.defer(() => {
    throw new Error("the closer failed");
  });
  await custodian.shutdownAll();
  assert.deepEqual(calls, ["reached"]);
  const warning = await warned;
  assert.equal(warning.name, "PortreeveCustodianWarning");
  assert.match(warning.message, /the handler failed/u);
});

test("the end of each custodian is published with its reason and errors", async () => {
  const published: { custodian: Custodian; reason: unknown; errors: readonly Error[] }[] = [];
  const publish = (message: unknown) => published.push(message as (typeof published)[number]);
  subscribe("portreeve.custodian.shutdown", publish);
  const { custodian } = begin();
  const child = custodian.child();
  child.defer(() => Promise.reject(new Error("no")));
  await custodian.shutdownAll("why");
  unsubscribe("portreeve.custodian.shutdown", publish);
  assert.deepEqual(
    published.map((message) => [message.custodian, message.reason, message.errors.length]),
    [
      [child, "why", 1],
      [custodian, "why", 1],
    ],
  );
});

test("a closer that never settles holds the shutdown up to the finalizer timeout, and no longer", async () => {
  const { custodian, clock, errors } = begin();
  custodian.adopt("value", never);
  custodian.child().defer(never);
  const shutdown = custodian.shutdownAll();
  clock.advance(4999);
  assert.equal(await isSettled(shutdown), false);
  clock.advance(1);
  const report = await shutdown;
  assert.deepEqual(
    report.errors.map(({ message }) => message),
    [
      "the deferred function did not finish closing within 5000 ms",
      "the adopted value did not finish closing within 5000 ms",
    ],
  );
  assert.deepEqual(errors, report.errors);
});

test("each of many shutdowns has the whole finalizer timeout, and one resolution more at most", async () => {
  const { clock } = begin();
  const ended = new Map<number, number>();
  for (let start = 0; start < 100; start++) {
    const custodian = makeCustodian(null, { clock, onError: () => {}, finalizerTimeout: "1s" });
    custodian.defer(never);
    void custodian.shutdownAll();
    clock.advance(3);
  }
  const parent = makeCustodian(null, { clock, onError: () => {}, finalizerTimeout: "1s" });
  const begun = clock.now();
  for (let start = 0; start < 100; start++) {
    const custodian = parent.child();
    custodian.defer(never);
    void custodian.shutdownAll().then(() => ended.set(start, clock.now()));
    clock.advance(3);
  }
  for (let ms = 0; ms < 1100; ms++) {
    clock.advance(1);
    await Promise.resolve();
  }
  await turn();
  for (let start = 0; start < 100; start++) {
    const waited = (ended.get(start) ?? Infinity) - (begun + 3 * start);
    assert.ok(waited >= 1000 && waited <= 1021, `the one begun at ${3 * start} ended after ${waited} ms`);
  }
});

test("a closer that settles or fails after the finalizer timeout changes nothing any more", async () => {
  const { custodian, clock, errors } = begin();
  const fail: ((error: Error) => void)[] = [];
  custodian.defer(() => new Promise((_resolve, reject) => fail.push(reject)));
  const shutdown = custodian.shutdownAll();
  clock.advance(5000);
  const report = await shutdown;
  fail[0]?.(new Error("too late"));
  await turn();
  assert.equal(report.errors.length, 1);
  assert.equal(errors.length, 1);
});

test("a child that is closing already is waited for, to its own finalizer timeout at most", async () => {
  const { custodian, clock } = begin();
  const child = custodian.child();
  child.defer(never);
  void child.shutdownAll("child first");
  clock.advance(4000);
  const shutdown = custodian.shutdownAll("then the parent");
  clock.advance(1000);
  const { errors } = await shutdown;
  assert.equal(errors.length, 1);
  assert.equal(child.parent, null);
});

test("a child with less patience than its parent keeps to its own finalizer timeout", async () => {
  const { custodian, clock } = begin();
  const child = makeCustodian(custodian, { finalizerTimeout: "1s" });
  child.defer(never);
  const shutdown = custodian.shutdownAll();
  clock.advance(1000);
  const { errors } = await shutdown;
  assert.equal(errors.length, 1);
});

test("a child with more patience than its parent ends with it", async () => {
  const { custodian, clock } = begin();
  const child = makeCustodian(custodian, { finalizerTimeout: "1h" });
  child.defer(never);
  const shutdown = custodian.shutdownAll();
  clock.advance(5000);
  const { errors } = await shutdown;
  assert.equal(errors.length, 1);
  assert.equal(clock.now(), 5000);
});

test("a finalizer timeout of 0 gives closers one turn", async () => {
  const clock = begin().clock;
  const custodian = makeCustodian(null, { clock, finalizerTimeout: 0, onError: () => {} });
  custodian.defer(never);
  const shutdown = custodian.shutdownAll();
  clock.advance(10);
  assert.equal((await shutdown).errors.length, 1);
});

test("a closer may give other members up: they are not ended", async () => {
  const { custodian } = begin();
  const calls: string[] = [];
  custodian.defer(() => calls.push("oldest"));
  const spared = [0, 1, 2].map((n) => custodian.adopt(`spared ${n}`, (value) => calls.push(value)));
  custodian.defer(() => calls.push("middle"));
  custodian.defer(() => {
    for (const value of spared) assert.equal(custodian.release(value), true);
  });
  await custodian.shutdownAll();
  assert.deepEqual(calls, ["middle", "oldest"]);
});

test("a closer may rescue the others to another custodian", async () => {
  const { custodian } = begin();
  const calls: string[] = [];
  const doomed = custodian.child();
  doomed.defer(() => calls.push("first"));
  doomed.defer(() => calls.push("second"));
  doomed.defer(() => doomed.moveTo(custodian));
  doomed.defer(() => calls.push("newest"));
  await doomed.shutdownAll();
  assert.deepEqual(calls, ["newest"]);
  await custodian.shutdownAll();
  assert.deepEqual(calls, ["newest", "second", "first"]);
});

test("a closer may shut down siblings and the parent; each is still told once", async () => {
  const { custodian } = begin();
  const calls: string[] = [];
  const older = custodian.child();
  older.defer((reason) => calls.push(`older: ${String(reason)}`));
  const middle = custodian.child();
  middle.defer((reason) => calls.push(`middle: ${String(reason)}`));
  middle.defer(() => {
    void older.shutdownAll("by a closer");
    void custodian.shutdownAll("by a closer, too late");
  });
  const newer = custodian.child();
  newer.defer((reason) => calls.push(`newer: ${String(reason)}`));
  newer.defer(() => void custodian.shutdownAll("again"));
  await custodian.shutdownAll("from above");
  assert.deepEqual(calls, ["newer: from above", "older: by a closer", "middle: from above"]);
});

test("a closer of a child that shuts the parent down ends in one shutdown of both", async () => {
  const { custodian } = begin();
  const calls: string[] = [];
  custodian.defer(() => calls.push("parent"));
  const child = custodian.child();
  child.defer(() => calls.push("child"));
  child.defer(() => void custodian.shutdownAll("everything"));
  const { errors } = await child.shutdownAll();
  assert.deepEqual(calls, ["parent", "child"]);
  assert.equal(custodian.isShutDown, true);
  assert.equal(errors.length, 0);
});

test("a closer that uses the custodian it belongs to gets the error, and the resource closes in this shutdown", async () => {
  const { custodian, errors } = begin();
  const late = new PassThrough();
  custodian.defer(() => custodian.use(late));
  const report = await custodian.shutdownAll();
  assert.equal(late.closed, true);
  assert.deepEqual(
    report.errors.map((error) => (error as NodeJS.ErrnoException).code),
    ["ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN"],
  );
  assert.deepEqual(errors, report.errors);
});

test("a closer may put something under an older child that is still open: it is ended as well", async () => {
  const { custodian } = begin();
  const calls: string[] = [];
  const child = custodian.child();
  custodian.defer(() => child.defer(() => calls.push("late, and in time")));
  await custodian.shutdownAll();
  assert.deepEqual(calls, ["late, and in time"]);
});

test("members that end each other synchronously are told at most once each", async () => {
  const { custodian } = begin();
  class Sync extends EventEmitter {
    calls = 0;
    next: Sync | undefined;
    close() {
      this.calls++;
      this.next?.close();
      this.emit("close");
    }
  }
  const emitters = Array.from({ length: 50 }, () => custodian.use(new Sync()));
  emitters.forEach((emitter, i) => (emitter.next = emitters[i - 1]));
  const { errors } = await custodian.shutdownAll();
  assert.deepEqual(errors, []);
  assert.deepEqual(
    emitters.map(({ calls }) => calls),
    emitters.map(() => 1),
  );
});

test("what has been told to end is not given up any more, and is still waited for", async () => {
  const { custodian } = begin();
  const settle: (() => void)[] = [];
  custodian.adopt("slow", () => new Promise<void>((resolve) => settle.push(resolve)));
  const shutdown = custodian.shutdownAll();
  assert.equal(custodian.release("slow"), false);
  assert.deepEqual(custodian.managedList(), []);
  assert.equal(await isSettled(shutdown), false);
  settle[0]?.();
  assert.equal(await isSettled(shutdown), true);
});

test("a close() that throws is an error of the shutdown and holds nothing up", async () => {
  const { custodian } = begin();
  class Broken extends EventEmitter {
    close() {
      throw new Error("broken");
    }
  }
  custodian.use(new Broken());
  const { errors } = await custodian.shutdownAll();
  assert.deepEqual(
    errors.map(({ message }) => message),
    ["broken"],
  );
});

test("a 'close' event in the middle of closing does not hide that the promise of the closer is still open", async () => {
  const { custodian } = begin();
  const settle: (() => void)[] = [];
  class Eager extends EventEmitter {
    close() {
      this.emit("close");
      return new Promise<void>((resolve) => settle.push(resolve));
    }
  }
  custodian.use(new Eager());
  const shutdown = custodian.shutdownAll();
  assert.equal(await isSettled(shutdown), false);
  settle[0]?.();
  assert.equal(await isSettled(shutdown), true);
});

test("what comes late to a shutdown that is under way is waited for", async () => {
  const { custodian } = begin();
  const settle: (() => void)[] = [];
  const slow = () => new Promise<void>((resolve) => settle.push(resolve));
  custodian.defer(slow);
  const shutdown = custodian.shutdownAll();
  assert.throws(() => custodian.defer(slow), { code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN" });
  settle[0]?.();
  assert.equal(await isSettled(shutdown), false);
  settle[1]?.();
  assert.equal(await isSettled(shutdown), true);
});

test("a listener of the signal that shuts down again and uses the custodian changes nothing", async () => {
  const { custodian } = begin();
  const calls: string[] = [];
  custodian.defer((reason) => calls.push(String(reason)));
  custodian.signal.addEventListener("abort", () => {
    void custodian.shutdownAll("from the listener");
    assert.throws(() => custodian.defer(() => calls.push("late")), { code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN" });
  });
  await custodian.shutdownAll("the reason");
  assert.deepEqual(calls, ["late", "the reason"]);
});

test("a tree a thousand custodians deep shuts down from the inside out", async () => {
  const { custodian, errors } = begin();
  const calls: number[] = [];
  let at = custodian;
  for (let depth = 0; depth < 1000; depth++) {
    at.defer(() => calls.push(depth));
    at = at.child();
  }
  await custodian.shutdownAll();
  assert.deepEqual(errors, []);
  assert.deepEqual(calls.slice(0, 2), [999, 998]);
  assert.equal(calls.length, 1000);
});

test("a program that awaits disposal of a custodian whose closer awaits it too is let go at the finalizer timeout", async () => {
  const { custodian, clock } = begin();
  custodian.defer(() => custodian.shutdownAll());
  const shutdown = custodian.shutdownAll();
  clock.advance(5000);
  assert.equal((await shutdown).errors.length, 1);
});
