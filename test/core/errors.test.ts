import assert from "node:assert/strict";
import { test } from "node:test";
import * as errors from "../../src/core/errors.ts";

const { describe } = errors;

const samples: readonly (Error & { code: string })[] = [
  new errors.ArgumentTypeError("options.x", "a function", 5),
  new errors.ArgumentRangeError("options.x", "a positive integer", -1),
  new errors.CustodianShutDownError("the custodian is shut down"),
  new errors.NoCurrentCustodianError("no custodian is current here"),
  new errors.NotManagedError("request"),
  new errors.FinalizerTimeoutError("a socket", 5000),
  new errors.ManagerDisposedError("the manager was disposed of"),
  new errors.ConnectionClosedError("read-timeout"),
  new errors.UnexpectedEndError("a line", 7),
  new errors.ReaderLimitError("a line", 512),
  new errors.IllegalPhaseError("from closed to idle"),
  new errors.LimitNotEnforcedError("maxRequestHeaders", "serve"),
  new errors.ListenError("127.0.0.1:80", Object.assign(new Error("listen EACCES"), { code: "EACCES" })),
];

test("every error has a code of its own, its class as its name, and a stack", () => {
  const classes = Object.values(errors).filter((value) => Object.prototype.isPrototypeOf.call(Error, value));
  const abstract = 1;
  assert.equal(samples.length, classes.length - abstract, "each class has a sample here");
  for (const error of samples) {
    assert.match(error.code, /^ERR_PORTREEVE_[A-Z_]+$/);
    assert.equal(error.name, error.constructor.name);
    assert.match(error.stack ?? "", new RegExp(`^${error.name}: `));
  }
  assert.equal(new Set(samples.map(({ code }) => code)).size, samples.length);
});

test("wrong arguments are TypeErrors and RangeErrors that name path, expected and received", () => {
  const wrong = new errors.ArgumentTypeError("options.x", "a function", 5);
  assert.ok(wrong instanceof TypeError);
  assert.deepEqual(
    [wrong.path, wrong.expected, wrong.message],
    ["options.x", "a function", "options.x: expected a function, got 5"],
  );
  const outside = new errors.ArgumentRangeError("limits.n", "a positive integer", -1);
  assert.ok(outside instanceof RangeError);
  assert.equal(outside.message, "limits.n: expected a positive integer, got -1");
});

test("errors carry their facts as fields", () => {
  assert.equal(new errors.FinalizerTimeoutError("a socket", 5000).timeout, 5000);
  assert.equal(new errors.ConnectionClosedError("read-timeout").reason, "read-timeout");
  assert.equal(new errors.UnexpectedEndError("a line", 7).received, 7);
  assert.equal(new errors.ReaderLimitError("a line", 512).limit, 512);
  assert.equal(new errors.LimitNotEnforcedError("maxRequestHeaders", "serve").limit, "maxRequestHeaders");
});

test("a server that cannot listen says why in words, keeps Node's code, and Node's error as the cause", () => {
  const cause = Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" });
  const error = new errors.ListenError("127.0.0.1:8080", cause);
  assert.equal(error.message, "cannot listen on 127.0.0.1:8080: the address is taken (EADDRINUSE)");
  assert.equal(error.systemCode, "EADDRINUSE");
  assert.equal(error.cause, cause);
  const rare = new errors.ListenError("there", Object.assign(new Error("listen ERARE"), { code: "ERARE" }));
  assert.equal(rare.message, "cannot listen on there: listen ERARE (ERARE)");
});

const explode = () => assert.fail("ran");

test("a message describes any value in a few words and runs none of its code", () => {
  const trap = { toString: explode, valueOf: explode, toJSON: explode, [Symbol.toPrimitive]: explode };
  const described: readonly [unknown, string][] = [
    ["text", '"text"'],
    ['with "quotes"\n', String.raw`"with \"quotes\"\n"`],
    ["x".repeat(1000), `"${"x".repeat(40)}…"`],
    [5, "5"],
    [Number.NaN, "NaN"],
    [-Infinity, "-Infinity"],
    [5n, "5n"],
    [true, "true"],
    [undefined, "undefined"],
    [null, "null"],
    [Symbol("s"), "Symbol(s)"],
    [explode, "a function"],
    [[1, 2], "an array of 2"],
    [trap, "an object"],
    [Object.create(null), "an object"],
  ];
  for (const [value, words] of described) assert.equal(describe(value), words);
});
