/**
 * Errors of closers: they are gathered, reported and published, and hold no shutdown up.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { makeCustodian } from "../../src/custodian/index.ts";
import type { Custodian } from "../../src/custodian/index.ts";
import { begin } from "./support.ts";

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
