/**
 * How a shutdown goes: its order, whom it waits for, what it publishes, and what comes while it is under way.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import type { Custodian } from "../../src/custodian/index.ts";
import { gate } from "../support/clients.ts";
import { begin, isSettled, turn } from "./support.ts";

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
  const [own, ofChild] = [gate(), gate()];
  custodian.defer(() => own.promise);
  custodian.child().defer(() => ofChild.promise);
  const shutdown = custodian.shutdownAll();
  assert.equal(await isSettled(shutdown), false);
  own.open();
  assert.equal(await isSettled(shutdown), false);
  ofChild.open();
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

test("what has been told to end is not given up any more, and is still waited for", async () => {
  const { custodian } = begin();
  const slow = gate();
  custodian.adopt("slow", () => slow.promise);
  const shutdown = custodian.shutdownAll();
  assert.equal(custodian.release("slow"), false);
  assert.deepEqual(custodian.managedList(), []);
  assert.equal(await isSettled(shutdown), false);
  slow.open();
  assert.equal(await isSettled(shutdown), true);
});

test("a 'close' event in the middle of closing does not hide that the promise of the closer is still open", async () => {
  const { custodian } = begin();
  const closing = gate();
  class Eager extends EventEmitter {
    close() {
      this.emit("close");
      return closing.promise;
    }
  }
  custodian.use(new Eager());
  const shutdown = custodian.shutdownAll();
  assert.equal(await isSettled(shutdown), false);
  closing.open();
  assert.equal(await isSettled(shutdown), true);
});

test("what comes late to a shutdown that is under way is waited for", async () => {
  const { custodian } = begin();
  const [first, late] = [gate(), gate()];
  custodian.defer(() => first.promise);
  const shutdown = custodian.shutdownAll();
  assert.throws(() => custodian.defer(() => late.promise), { code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN" });
  first.open();
  assert.equal(await isSettled(shutdown), false);
  late.open();
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
