import assert from "node:assert/strict";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { startProgram } from "../support/program.ts";
import type { Program } from "../support/program.ts";

const skip = !existsSync("/proc/self/fd") && "needs /proc";

interface Owned {
  child: number;
  path: string;
  port: number;
}

async function start(t: TestContext): Promise<{ program: Program; owned: Owned }> {
  const program = startProgram(t, [".build/examples/owner.js"]);
  const [line] = await program.says(/^\{.*\}$/m);
  const owned = JSON.parse(line) as Owned;
  assert.ok(existsSync(`/proc/${owned.child}`), "the child process runs");
  assert.ok(existsSync(owned.path), "the file is there");
  const descriptors = readdirSync(`/proc/${program.pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${program.pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
  assert.ok(descriptors.includes(owned.path), "the file is open");
  return { program, owned };
}

async function leavesNothing(program: Program, { child, path }: Owned, reason: string): Promise<void> {
  assert.equal(await program.ended, 0, program.stderr);
  assert.ok(!existsSync(`/proc/${child}`), "the child process is gone");
  assert.ok(!existsSync(path), "the file is gone");
  const last = JSON.parse(program.stdout.trim().split("\n").at(-1) ?? "") as unknown;
  assert.deepEqual(last, { reason, errors: [], left: [] });
  assert.equal(program.stderr, "");
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(
    `the owner example ends by itself at ${signal} and leaves no child, file or socket behind`,
    { skip },
    async (t) => {
      const { program, owned } = await start(t);
      program.signal(signal);
      await leavesNothing(program, owned, signal);
    },
  );
}

test("the owner example leaves nothing behind at the end of its input", { skip }, async (t) => {
  const { program, owned } = await start(t);
  program.child.stdin?.end();
  await leavesNothing(program, owned, "end of input");
});
