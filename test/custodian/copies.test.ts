import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import * as here from "../../src/custodian/index.ts";
import { compiledRoot, compiledSource } from "../support/paths.ts";

/** The same library a second time, as where two packages bring one each. */
const folder = mkdtempSync(join(compiledRoot, "copy-"));
after(() => rmSync(folder, { recursive: true }));
for (const part of ["core", "timers", "custodian"])
  cpSync(join(compiledSource, part), join(folder, part), { recursive: true });
const there = (await import(pathToFileURL(join(folder, "custodian/index.js")).href)) as typeof here;

test("custodians of two copies of the package know each other, and end together", async () => {
  assert.notEqual(there.makeCustodian, here.makeCustodian);
  for (const [above, below] of [
    [here, there],
    [there, here],
  ] as const) {
    const errors: Error[] = [];
    const parent = above.makeCustodian(null, { onError: (error) => errors.push(error) });
    assert.equal(below.isCustodian(parent), true);
    const child = below.makeCustodian(parent);
    const reasons: unknown[] = [];
    child.defer(async (reason) => {
      reasons.push(reason);
      await Promise.resolve();
      throw new Error("failed");
    });
    assert.deepEqual(parent.children(), [child]);
    const report = await parent.shutdownAll("the reason");
    assert.deepEqual(reasons, ["the reason"]);
    assert.deepEqual(report.errors, errors);
    assert.equal(errors.length, 1);
    assert.equal(child.isShutDown, true);
  }
});
