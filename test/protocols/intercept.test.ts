/**
 * Events of an emitter that are taken before its own listeners hear them, beside others who do the same.
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { interceptEmit, isIntercepted } from "../../src/protocols/intercept.ts";

/** Takes `event`, notes each one, and passes it on. */
function take(emitter: EventEmitter, event: string, seen: unknown[]) {
  const interception = interceptEmit(emitter, event, (args) => {
    seen.push(event, ...args);
    interception.pass(args);
  });
  return interception;
}

/** Wraps `emit` as tracers do. */
function trace(emitter: EventEmitter, seen: unknown[]): void {
  const emit = emitter.emit.bind(emitter);
  emitter.emit = (event: string, ...args: unknown[]): boolean => {
    seen.push(`traced ${event}`);
    return emit(event, ...args);
  };
}

test("what is taken comes with all its values, and listeners hear it when it is passed on", () => {
  const emitter = new EventEmitter();
  const seen: unknown[] = [];
  const heard: unknown[] = [];
  for (const event of ["a", "b", "c"]) emitter.on(event, (...args) => heard.push(event, ...args));
  take(emitter, "a", seen);
  take(emitter, "b", seen);
  const counts = [0, 1, 2, 3, 4, 5].map((count) => Array.from({ length: count }, (_, i) => i));
  for (const args of counts) for (const event of ["a", "b", "c"]) assert.equal(emitter.emit(event, ...args), true);
  const expected = (events: string[]) => counts.flatMap((args) => events.flatMap((event) => [event, ...args]));
  assert.deepEqual(seen, expected(["a", "b"]));
  assert.deepEqual(heard, expected(["a", "b", "c"]));
  assert.equal(emitter.emit("nobody listens"), false);
  let values = NaN;
  emitter.on("undefined", (...args) => (values = args.length));
  (Reflect.get(emitter, "emit") as () => boolean).call(emitter);
  assert.equal(values, 0, "not even a name");
});

test("an event that was given back is heard as before, while others are still taken", () => {
  const emitter = new EventEmitter();
  const seen: unknown[] = [];
  const [first, second, third] = ["a", "b", "c"].map((event) => take(emitter, event, seen));
  second?.restore();
  for (const event of ["a", "b", "c"]) emitter.emit(event);
  assert.deepEqual(seen, ["a", "c"]);
  assert.deepEqual(
    ["a", "b", "c"].map((event) => isIntercepted(emitter, event)),
    [true, false, true],
  );
  first?.restore();
  third?.restore();
  assert.deepEqual(Object.getOwnPropertySymbols(emitter), Object.getOwnPropertySymbols(new EventEmitter()));
  assert.equal(Object.hasOwn(emitter, "emit"), false);
});

test("an emit of the emitter's own from before comes back, and is used meanwhile", () => {
  const emitter = new EventEmitter();
  const seen: unknown[] = [];
  trace(emitter, seen);
  const traced = emitter.emit;
  const interception = take(emitter, "a", seen);
  emitter.emit("a", 1);
  assert.deepEqual(seen, ["a", 1, "traced a"]);
  const ours = emitter.emit;
  interception.restore();
  assert.equal(emitter.emit, traced);
  // Somebody has kept it.
  assert.equal(ours.call(emitter, "a"), false);
});

test("an emitter that somebody has begun to trace meanwhile can be given back and taken again, and again", () => {
  const emitter = new EventEmitter();
  const seen: unknown[] = [];
  const heard: unknown[] = [];
  emitter.on("a", (value) => heard.push(value));
  const first = take(emitter, "a", seen);
  trace(emitter, seen);
  first.restore();
  emitter.emit("a", 0);
  for (const round of [1, 2]) {
    const again = take(emitter, "a", seen);
    assert.equal(emitter.emit("a", round), true);
    again.restore();
  }
  emitter.emit("a", 3);
  assert.deepEqual(seen, ["traced a", "a", 1, "traced a", "a", 2, "traced a", "traced a"]);
  assert.deepEqual(heard, [0, 1, 2, 3]);
});

test("an emitter whose tracer has left meanwhile, with our emit, can be taken again", () => {
  const emitter = new EventEmitter();
  const seen: unknown[] = [];
  const { emit } = emitter;
  trace(emitter, []);
  const first = take(emitter, "a", seen);
  emitter.emit = emit;
  first.restore();
  take(emitter, "a", seen);
  emitter.emit("a");
  assert.deepEqual(seen, ["a"]);
});

test("a copy of an emitter, with our emit, tells its own listeners what is not taken", () => {
  const emitter = new EventEmitter();
  const seen: unknown[] = [];
  const interception = take(emitter, "a", seen);
  const copy = Object.create(EventEmitter.prototype, {
    emit: Object.getOwnPropertyDescriptor(emitter, "emit") ?? {},
  }) as EventEmitter;
  emitter.on("b", () => seen.push("the original"));
  copy.on("b", () => seen.push("the copy"));
  assert.equal(copy.emit("b"), true);
  assert.deepEqual(seen, ["the copy"]);
  interception.restore();
});

test("who gives back what somebody else has taken since takes nothing from them", () => {
  const emitter = new EventEmitter();
  const seen: unknown[] = [];
  const first = take(emitter, "a", seen);
  first.restore();
  take(emitter, "a", seen);
  first.restore();
  emitter.emit("a");
  assert.deepEqual(seen, ["a"]);
});
