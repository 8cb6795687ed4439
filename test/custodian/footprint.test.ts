import assert from "node:assert/strict";
import process from "node:process";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { makeCustodian } from "../../src/custodian/index.ts";
import { turn } from "./support.ts";

const collect = (globalThis as { gc?: () => void }).gc;
const count = 100_000;

/** Bytes in use once everything that only the last turn still held is gone. */
async function heapAfterCollection(): Promise<number> {
  for (let collections = 0; collections < 3; collections++) {
    await turn();
    collect?.();
  }
  return process.memoryUsage().heapUsed;
}

test(
  "100 000 custodians that were made, filled and shut down leave nothing",
  { skip: collect === undefined },
  async () => {
    const root = makeCustodian(null);
    // One stream serves all, so that what is left is the custodians' and not Node's.
    const stream = new PassThrough();
    stream.setMaxListeners(0);
    const round = async (): Promise<void> => {
      for (let made = 0; made < count; made++) {
        const custodian = root.child();
        custodian.adopt(stream, () => {});
        await custodian.shutdownAll();
      }
    };
    await round();
    const before = await heapAfterCollection();
    for (let rounds = 0; rounds < 3; rounds++) {
      await round();
      const left = ((await heapAfterCollection()) - before) / count;
      assert.ok(left <= 8, `${left.toFixed(1)} bytes a custodian are left after round ${rounds + 1}`);
    }
    assert.deepEqual(root.managedList(), []);
  },
);

test(
  "100 000 streams that end by themselves leave nothing at the custodian they share",
  { skip: collect === undefined },
  async () => {
    const root = makeCustodian(null);
    const round = async (): Promise<void> => {
      for (let batch = 0; batch < 100; batch++) {
        const streams = Array.from({ length: count / 100 }, () => root.use(new PassThrough()));
        const closed = streams.map((stream) => new Promise((resolve) => stream.once("close", resolve)));
        for (const stream of streams) stream.destroy();
        await Promise.all(closed);
      }
    };
    await round();
    const before = await heapAfterCollection();
    await round();
    const left = ((await heapAfterCollection()) - before) / count;
    assert.ok(left <= 8, `${left.toFixed(1)} bytes a stream are left`);
    assert.deepEqual(root.managedList(), []);
  },
);
