import assert from "node:assert/strict";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import { isThenable, report, toError } from "../../src/core/report.ts";

/** The warning that `act` leads to. */
async function warningOf(act: () => void): Promise<Error & { code?: string }> {
  const heard = once(process, "warning") as Promise<[Error & { code?: string }]>;
  act();
  const [warning] = await heard;
  return warning;
}

test("whatever was thrown becomes an Error, and an Error stays itself", () => {
  const error = new RangeError("mistake");
  assert.equal(toError(error), error);
  assert.equal(toError("text").message, 'thrown value: "text"');
  assert.equal(toError(undefined).message, "thrown value: undefined");
});

test("a report reaches its handler with the error and what it is about", () => {
  const calls: unknown[] = [];
  const error = new Error("mistake");
  report((...args) => calls.push(args), error, "context", "TestWarning");
  assert.deepEqual(calls, [[error, "context"]]);
});

test("a handler that throws is a process warning, with the error's code", async () => {
  const warning = await warningOf(() => {
    report(
      () => {
        throw Object.assign(new Error("handler"), { code: "ERR_HANDLER" });
      },
      new Error("mistake"),
      undefined,
      "TestWarning",
    );
  });
  assert.equal(warning.name, "TestWarning");
  assert.equal(warning.code, "ERR_HANDLER");
  assert.match(warning.message, /^Error: handler\n/);
});

test("a handler that rejects is a process warning", async () => {
  const warning = await warningOf(() => {
    report(() => Promise.reject(new Error("handler")), new Error("mistake"), undefined, "TestWarning");
  });
  assert.equal(warning.name, "TestWarning");
  assert.match(warning.message, /^Error: handler\n/);
});

/** Built from entries, because an object that looks like a promise by accident is what the linter is for. */
function withThen(then: unknown): object {
  return Object.fromEntries(new Map([["then", then]]));
}

test("what can be awaited is told from what cannot", () => {
  for (const value of [Promise.resolve(), withThen(() => {})]) assert.equal(isThenable(value), true);
  for (const value of [undefined, null, 5, "then", {}, withThen(5)]) assert.equal(isThenable(value), false);
});
