/**
 * What closers may do to custodians while a shutdown is under way.
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { begin } from "./support.ts";

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
