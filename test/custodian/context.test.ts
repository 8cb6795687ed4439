import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { currentCustodian, makeCustodian } from "../../src/custodian/index.ts";
import { begin, turn } from "./support.ts";

test("inside run the custodian is the current one, across awaits, timers and promises", async () => {
  const { custodian } = begin();
  const seen = await custodian.run(async () => {
    const at = [currentCustodian()];
    await turn();
    at.push(currentCustodian());
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        at.push(currentCustodian());
        resolve();
      }, 1);
    });
    return at;
  });
  assert.deepEqual(seen, [custodian, custodian, custodian]);
});

test("runs nest and do not disturb each other", async () => {
  const { custodian } = begin();
  const [first, second] = [custodian.child(), custodian.child()];
  await Promise.all(
    [first, second].map((outer) =>
      outer.run(async () => {
        await turn();
        const inner = outer.child();
        assert.equal(
          inner.run(() => currentCustodian()),
          inner,
        );
        await turn();
        assert.equal(currentCustodian(), outer);
      }),
    ),
  );
});

test("outside of any run there is no current custodian", () => {
  assert.throws(() => currentCustodian(), {
    name: "NoCurrentCustodianError",
    code: "ERR_PORTREEVE_NO_CURRENT_CUSTODIAN",
  });
});

test("a custodian made without a parent ends with the current one; with null, or outside, it is a root", async () => {
  const { custodian } = begin();
  assert.equal(makeCustodian().parent, null);
  const [below, root] = custodian.run(() => [makeCustodian(), makeCustodian(null)] as const);
  assert.equal(below.parent, custodian);
  assert.equal(root.parent, null);
  await custodian.shutdownAll();
  assert.equal(below.isShutDown, true);
  assert.equal(root.isShutDown, false);
  assert.throws(() => custodian.run(() => makeCustodian()), { code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN" });
});

test("run gives back what the function gives back, and lets through what it throws", async () => {
  const { custodian } = begin();
  assert.equal(
    custodian.run(() => 42),
    42,
  );
  const failure = new Error("no");
  assert.throws(
    () =>
      custodian.run(() => {
        throw failure;
      }),
    failure,
  );
  await assert.rejects(
    custodian.run(() => Promise.reject(failure)),
    failure,
  );
});

test("a program that enters no context makes no AsyncLocalStorage", async () => {
  const script = `
    import hooks from "node:async_hooks";
    import { syncBuiltinESMExports } from "node:module";
    let made = 0;
    const value = class extends hooks.AsyncLocalStorage {
      constructor() {
        super();
        made++;
      }
    };
    Object.defineProperty(hooks, "AsyncLocalStorage", { value, enumerable: true, configurable: true });
    syncBuiltinESMExports();
    const { currentCustodian, makeCustodian } = await import(${JSON.stringify(new URL("../../src/custodian/index.js", import.meta.url).href)});
    const custodian = makeCustodian();
    custodian.child().defer(() => {});
    custodian.setTimeout(() => {}, 1000);
    void custodian.signal;
    try { currentCustodian(); } catch {}
    await custodian.shutdownAll();
    const before = made;
    makeCustodian().run(() => {});
    makeCustodian().run(() => {});
    console.log(before, made);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed] = await Promise.all([text(child.stdout), once(child, "exit")]);
  assert.equal(printed, "0 1\n");
});
