import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { folder } from "./specimens/files.ts";
import { script } from "./specimens/workers.ts";
import { begin, turn } from "./support.ts";

test("a child process that ignores SIGTERM is killed at the finalizer timeout", async () => {
  const { custodian, clock, errors } = begin();
  const child = script("process.on('SIGTERM', () => console.log('no')); process.stdin.resume(); console.log('ready')");
  assert.ok(child.stdout);
  await once(child.stdout, "data");
  custodian.use(child);
  const shutdown = custodian.shutdownAll();
  await once(child.stdout, "data");
  clock.advance(4999);
  await turn();
  assert.equal(child.signalCode, null);
  clock.advance(1);
  const { errors: reported } = await shutdown;
  await once(child, "exit");
  assert.equal(child.signalCode, "SIGKILL");
  assert.deepEqual(
    reported.map(({ message }) => message),
    ["the child process did not finish closing within 5000 ms"],
  );
  assert.deepEqual(errors, reported);
});

test("a child process that comes too late and ignores SIGTERM is killed as well", async () => {
  const { custodian, clock, errors } = begin();
  const child = script("process.on('SIGTERM', () => console.log('no')); process.stdin.resume(); console.log('ready')");
  assert.ok(child.stdout);
  await once(child.stdout, "data");
  await custodian.shutdownAll();
  assert.throws(() => custodian.use(child));
  await once(child.stdout, "data");
  clock.advance(5000);
  await once(child, "exit");
  assert.equal(child.signalCode, "SIGKILL");
  assert.equal(errors.length, 1);
});

test("a child process that could not be started is not taken", async () => {
  const { custodian } = begin();
  const child = spawn(join(folder, "no such program"));
  const failed = once(child, "error");
  custodian.use(child);
  assert.deepEqual(custodian.managedList(), []);
  await failed;
});
