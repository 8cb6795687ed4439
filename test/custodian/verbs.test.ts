import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import {
  custodianBoxValue,
  custodianManagedList,
  custodianShutdownAll,
  isCustodian,
  isCustodianShutDown,
  makeCustodian,
  makeCustodianBox,
} from "../../src/custodian/index.ts";
import { begin } from "./support.ts";

test("use gives the resource back and owns it once", () => {
  const { custodian } = begin();
  const stream = new PassThrough();
  assert.equal(custodian.use(stream), stream);
  custodian.use(stream);
  assert.deepEqual(custodian.managedList(), [stream]);
});

test("use refuses what it does not know how to end, and says what to do instead", () => {
  const { custodian } = begin();
  for (const value of [{}, [], new EventEmitter(), () => {}, "text", 1, null, undefined]) {
    assert.throws(() => custodian.use(value as object), {
      name: "ArgumentTypeError",
      code: "ERR_PORTREEVE_ARGUMENT_TYPE",
      message: /^resource: expected something that Node can close.*adopt\(value, shutdown\)/u,
    });
  }
});

test("adopt owns any value, and hands it and the reason to its shutdown", async () => {
  const { custodian } = begin();
  const calls: unknown[] = [];
  assert.equal(
    custodian.adopt("value", (...given) => calls.push(given)),
    "value",
  );
  assert.deepEqual(custodian.managedList(), ["value"]);
  await custodian.shutdownAll("the reason");
  assert.deepEqual(calls, [["value", "the reason"]]);
});

test("a value that is adopted twice is shut down twice, and given up one at a time", async () => {
  for (const others of [0, 40]) {
    const { custodian } = begin();
    const calls: string[] = [];
    for (let other = 0; other < others; other++) custodian.defer(() => {});
    const value = {};
    custodian.adopt(value, () => calls.push("first"));
    custodian.adopt(value, () => calls.push("second"));
    custodian.adopt(value, () => calls.push("third"));
    assert.equal(custodian.release(value), true);
    for (let other = 0; other < others; other++) custodian.defer(() => {});
    await custodian.shutdownAll();
    assert.deepEqual(calls, ["second", "first"]);
    assert.equal(custodian.release(value), false);
  }
});

test("defer runs a function at the shutdown", async () => {
  const { custodian } = begin();
  const reasons: unknown[] = [];
  custodian.defer((reason) => reasons.push(reason));
  assert.deepEqual(reasons, []);
  await custodian.shutdownAll("done");
  assert.deepEqual(reasons, ["done"]);
});

test("setTimeout runs its function once and then leaves, and not at all after the shutdown", async () => {
  const { custodian, clock } = begin();
  const fired: string[] = [];
  const timer = custodian.setTimeout(() => fired.push("early"), "1s");
  custodian.setTimeout(() => fired.push("late"), "3s");
  assert.equal(timer.deadline, 1000);
  clock.advance("2s");
  assert.deepEqual(fired, ["early"]);
  assert.equal(custodian.managedList().length, 1);
  await custodian.shutdownAll();
  clock.advance("1h");
  assert.deepEqual(fired, ["early"]);
});

test("a timeout that moved to another custodian leaves that one when it fires", () => {
  const { custodian, clock } = begin();
  const other = custodian.child();
  const worker = custodian.child();
  worker.setTimeout(() => {}, "1s");
  worker.moveTo(other);
  assert.equal(other.managedList().length, 1);
  clock.advance("1s");
  assert.deepEqual(other.managedList(), []);
});

test("release gives a resource up without ending it", async () => {
  for (const others of [0, 40]) {
    const { custodian } = begin();
    const stream = custodian.use(new PassThrough());
    for (let other = 0; other < others; other++) custodian.defer(() => {});
    assert.equal(custodian.release(stream), true);
    assert.equal(custodian.release(stream), false);
    assert.equal(stream.listenerCount("close"), 0);
    await custodian.shutdownAll();
    assert.equal(stream.destroyed, false);
    stream.destroy();
  }
});

test("release of a child makes it a root", async () => {
  const { custodian } = begin();
  const child = custodian.child();
  assert.equal(custodian.release(child), true);
  assert.equal(child.parent, null);
  await custodian.shutdownAll();
  assert.equal(child.isShutDown, false);
});

test("use of a custodian makes it a child", async () => {
  const { custodian } = begin();
  const elsewhere = custodian.child();
  const child = elsewhere.child();
  const home = custodian.child();
  assert.equal(home.use(child), child);
  assert.equal(child.parent, home);
  assert.deepEqual(elsewhere.children(), []);
  assert.throws(() => child.use(custodian), { code: "ERR_PORTREEVE_ARGUMENT_TYPE" });
  assert.throws(() => child.use(child), { code: "ERR_PORTREEVE_ARGUMENT_TYPE" });
  await elsewhere.shutdownAll();
  assert.throws(() => elsewhere.use(child), { code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN" });
  assert.equal(child.isShutDown, true);
});

test("moveTo hands everything over in order, and the giver stays open and empty", async () => {
  const { custodian } = begin();
  const calls: string[] = [];
  const giver = custodian.child();
  const taker = custodian.child();
  taker.defer(() => calls.push("taker's own"));
  giver.defer(() => calls.push("first"));
  const child = giver.child("child");
  child.defer(() => calls.push("in the child"));
  const stream = giver.use(new PassThrough());
  giver.defer(() => calls.push("last"));
  giver.moveTo(taker);
  assert.deepEqual(giver.managedList(), []);
  assert.equal(giver.isShutDown, false);
  assert.equal(child.parent, taker);
  await giver.shutdownAll();
  assert.deepEqual(calls, []);
  await taker.shutdownAll();
  assert.deepEqual(calls, ["last", "in the child", "first", "taker's own"]);
  assert.equal(stream.destroyed, true);
});

test("a resource that moved leaves its new custodian when it ends by itself", async () => {
  const { custodian } = begin();
  const [giver, taker] = [custodian.child(), custodian.child()];
  const stream = giver.use(new PassThrough());
  giver.moveTo(taker);
  stream.destroy();
  await new Promise((resolve) => stream.once("close", resolve));
  assert.deepEqual(taker.managedList(), []);
});

test("moveTo refuses a custodian that is shut down, itself and its own descendants", async () => {
  const { custodian } = begin();
  const giver = custodian.child();
  const stream = giver.use(new PassThrough());
  const below = giver.child().child();
  for (const target of [giver, below]) {
    assert.throws(() => giver.moveTo(target), { code: "ERR_PORTREEVE_ARGUMENT_TYPE" });
  }
  const shut = makeCustodian(custodian);
  await shut.shutdownAll();
  assert.throws(() => giver.moveTo(shut), { code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN" });
  assert.deepEqual(giver.managedList()[0], stream);
});

test("a child ends with its parent, and leaves it when it ends before", async () => {
  const { custodian } = begin();
  const [first, second] = [custodian.child("first"), custodian.child("second")];
  assert.equal(first.name, "first");
  assert.equal(first.parent, custodian);
  assert.deepEqual(custodian.children(), [first, second]);
  await first.shutdownAll();
  assert.deepEqual(custodian.children(), [second]);
  assert.equal(first.parent, null);
  await custodian.shutdownAll();
  assert.equal(second.isShutDown, true);
});

test("the managed list shows values and children, oldest first, to those above only", () => {
  const { custodian } = begin();
  const child = custodian.child();
  const stream = child.use(new PassThrough());
  const grandchild = child.child();
  child.adopt("value", () => {});
  assert.deepEqual(custodianManagedList(child, custodian), [stream, grandchild, "value"]);
  assert.deepEqual(custodianManagedList(grandchild, custodian), []);
  for (const other of [child, grandchild, makeCustodian(null)]) {
    assert.throws(() => custodianManagedList(child, other), { code: "ERR_PORTREEVE_ARGUMENT_TYPE" });
  }
});

test("the signal aborts with the shutdown, before anything is told to end", async () => {
  const { custodian } = begin();
  const seen: boolean[] = [];
  const { signal } = custodian;
  custodian.defer(() => seen.push(signal.aborted));
  assert.equal(signal.aborted, false);
  await custodian.shutdownAll("the reason");
  assert.deepEqual(seen, [true]);
  assert.equal(signal.reason.code, "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN");
  assert.match(signal.reason.message, /the reason/u);
});

test("the signal carries the reason itself where that is an error, also when first asked for afterwards", async () => {
  const { custodian } = begin();
  const reason = new Error("out of memory");
  await custodian.shutdownAll(reason);
  assert.equal(custodian.signal.aborted, true);
  assert.equal(custodian.signal.reason, reason);
});

test("an abort controller is aborted with an error that has the reason as its cause", async () => {
  const { custodian } = begin();
  const { signal } = custodian.use(new AbortController());
  await custodian.shutdownAll("too slow");
  assert.equal(signal.reason.code, "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN");
  assert.equal(signal.reason.cause, "too slow");
});

test("after the shutdown every verb that takes something closes it and throws", async () => {
  const { custodian } = begin();
  const named = custodian.child("upload");
  const reason = new Error("the client left");
  await named.shutdownAll(reason);
  const calls: unknown[] = [];
  const refused = { name: "CustodianShutDownError", message: 'the custodian "upload" is shut down (the client left)' };
  const stream = new PassThrough();
  assert.throws(() => named.use(stream), { ...refused, cause: reason });
  assert.equal(stream.destroyed, true);
  assert.throws(() => void named.adopt("value", (...given) => calls.push(given)), refused);
  assert.throws(() => named.defer((why) => calls.push(why)), refused);
  assert.throws(() => named.setTimeout(() => calls.push("fired"), 10), refused);
  assert.throws(() => named.child(), refused);
  assert.throws(() => makeCustodian(named), refused);
  assert.throws(() => makeCustodianBox(named, 1), refused);
  assert.deepEqual(calls, [["value", reason], reason]);
});

test("a box holds its value until its custodian is shut down", async () => {
  const { custodian } = begin();
  const box = makeCustodianBox(custodian, "value");
  assert.equal(box.value, "value");
  assert.equal(custodianBoxValue(box), "value");
  assert.deepEqual(custodian.managedList(), [box]);
  const kept = makeCustodianBox(custodian, "kept");
  custodian.release(kept);
  await custodian.shutdownAll();
  assert.equal(box.value, null);
  assert.equal(custodianBoxValue(box), null);
  assert.equal(kept.value, "kept");
});

test("Racket's names do what the methods do", async () => {
  const { custodian } = begin();
  assert.equal(isCustodian(custodian), true);
  for (const value of [null, undefined, {}, "custodian"]) assert.equal(isCustodian(value), false);
  const child = makeCustodian(custodian, { name: "child" });
  assert.equal(isCustodianShutDown(child), false);
  const { errors } = await custodianShutdownAll(child, "reason");
  assert.deepEqual(errors, []);
  assert.equal(isCustodianShutDown(child), true);
});

test("await using ends a custodian with its block", async () => {
  const { custodian } = begin();
  const reasons: unknown[] = [];
  {
    await using block = custodian.child();
    block.defer((reason) => reasons.push(reason));
  }
  assert.deepEqual(reasons, ["disposed"]);
});

test("options are inherited from the parent, one by one", async () => {
  const { custodian, clock, errors } = begin();
  const heard: Error[] = [];
  const child = makeCustodian(custodian, { finalizerTimeout: "1s" });
  const grandchild = makeCustodian(child, { onError: (error) => heard.push(error), name: "grandchild" });
  grandchild.defer(() => new Promise(() => {}));
  const shutdown = grandchild.shutdownAll();
  clock.advance(1000);
  await shutdown;
  assert.equal(heard.length, 1);
  assert.deepEqual(errors, []);
});

const wrong: [string, () => unknown][] = [
  ["parent", () => makeCustodian({} as never)],
  ["options", () => makeCustodian(null, 1 as never)],
  ["options.nmae", () => makeCustodian(null, { nmae: "x" } as never)],
  ["options.name", () => makeCustodian(null, { name: 1 as never })],
  ["options.finalizerTimeout", () => makeCustodian(null, { finalizerTimeout: Infinity })],
  ["options.finalizerTimeout", () => makeCustodian(null, { finalizerTimeout: -1 })],
  ["options.finalizerTimeout", () => makeCustodian(null, { finalizerTimeout: Number.NaN })],
  ["options.finalizerTimeout", () => makeCustodian(null, { finalizerTimeout: "5 parsecs" })],
  ["options.clock", () => makeCustodian(null, { clock: {} as never })],
  ["options.onError", () => makeCustodian(null, { onError: "log" as never })],
  ["shutdown", () => begin().custodian.adopt(1, null as never)],
  ["fn", () => begin().custodian.defer(1 as never)],
  ["fn", () => begin().custodian.run("x" as never)],
  ["fn", () => begin().custodian.setTimeout("x" as never, 1)],
  ["ms", () => begin().custodian.setTimeout(() => {}, -1)],
  ["ms", () => begin().custodian.setTimeout(() => {}, Number.NaN)],
  ["bytes", () => begin().custodian.charge(0.5)],
  ["bytes", () => begin().custodian.charge(Number.NaN)],
  ["bytes", () => begin().custodian.charge("1" as never)],
  ["custodian", () => begin().custodian.moveTo({} as never)],
  ["custodian", () => custodianShutdownAll({} as never)],
  ["custodian", () => isCustodianShutDown(null as never)],
  ["custodian", () => makeCustodianBox({} as never, 1)],
  ["custodian", () => custodianManagedList(1 as never, begin().custodian)],
  ["superCustodian", () => custodianManagedList(begin().custodian, 1 as never)],
  ["box", () => custodianBoxValue({} as never)],
];

for (const [path, call] of wrong) {
  test(`a wrong argument is refused by its name: ${call.toString().replace("() => ", "")}`, () => {
    assert.throws(call, (error: Error & { code: string; path: string }) => {
      assert.match(error.code, /^ERR_PORTREEVE_ARGUMENT_(?:TYPE|RANGE)$/u);
      assert.equal(error.path, path);
      return true;
    });
  });
}
