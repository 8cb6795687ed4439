/**
 * A custodian that lives as long as its program keeps nothing of what has ended, was given up or was moved away.
 */
import assert from "node:assert/strict";
import { opendir } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import { test } from "node:test";
import type { Custodian } from "../../src/custodian/index.ts";
import { begin } from "./support.ts";
import { collect, skip, survivors } from "../support/survivors.ts";

/** What ends without a word is looked for now and then, and so a few may still be there. */
const few = 64;

/** How many of the objects that `fill` makes are still there when it is over. */
async function survivorsOf(fill: (born: (object: object) => void) => unknown): Promise<number> {
  const refs: WeakRef<object>[] = [];
  await (async () => fill((object) => refs.push(new WeakRef(object))))();
  return survivors(refs);
}

class Quiet {
  disposed = false;
  [Symbol.dispose](): void {
    this.disposed = true;
  }
}

function quietOnes(born: (object: object) => void): Quiet[] {
  return Array.from({ length: 1000 }, () => {
    const quiet = new Quiet();
    born(quiet);
    return quiet;
  });
}

test("timers of a custodian that were cancelled do not pile up", { skip }, async () => {
  const { custodian } = begin();
  const left = await survivorsOf((born) => {
    for (let i = 0; i < 1000; i++) {
      const timer = custodian.setTimeout(() => {}, "1h");
      born(timer);
      timer.cancel();
    }
  });
  assert.ok(left <= few, `${left} timers`);
  assert.deepEqual(custodian.managedList(), []);
});

test("directories that were read to their end do not pile up", { skip }, async () => {
  const { custodian } = begin();
  const left = await survivorsOf(async (born) => {
    for (let i = 0; i < 200; i++) {
      const directory = custodian.use(await opendir(tmpdir()));
      born(directory);
      for await (const entry of directory) assert.ok(entry.name);
    }
  });
  assert.ok(left <= few, `${left} directories`);
  assert.deepEqual(custodian.managedList(), []);
});

test("broadcast channels that the program closed do not pile up", { skip }, async () => {
  const { custodian } = begin();
  const left = await survivorsOf((born) => {
    for (let i = 0; i < 200; i++) {
      const channel = custodian.use(new BroadcastChannel("forgetting"));
      born(channel);
      channel.close();
    }
  });
  assert.ok(left <= few, `${left} channels`);
  assert.deepEqual(custodian.managedList(), []);
});

const givenUp: Record<string, (custodian: Custodian, other: Custodian, values: Quiet[]) => unknown> = {
  "was released": (custodian, _other, values) => {
    for (const value of values) custodian.release(value);
  },
  "was moved away and has ended there": async (custodian, other) => {
    custodian.moveTo(other);
    await other.shutdownAll();
  },
  "has ended with it": (custodian) => custodian.shutdownAll(),
};

for (const [how, giveUp] of Object.entries(givenUp)) {
  test(`a custodian that somebody keeps does not keep what ${how}`, { skip }, async () => {
    const { custodian } = begin();
    const left = await survivorsOf(async (born) => {
      const other = begin().custodian;
      const values = quietOnes(born);
      for (const value of values) custodian.use(value);
      await giveUp(custodian, other, values);
    });
    assert.equal(left, 0);
    assert.deepEqual(custodian.managedList(), []);
  });
}

/** Asserts that many calls leave nothing behind, but for what the engine keeps to be quick. */
async function leavesNothing(act: () => void): Promise<void> {
  const count = 50_000;
  const rounds = async (number: number): Promise<number> => {
    for (let round = 0; round < number; round++) {
      for (let i = 0; i < count; i++) act();
      await collect();
    }
    return process.memoryUsage().heapUsed;
  };
  const before = await rounds(2);
  const left = ((await rounds(3)) - before) / (3 * count);
  assert.ok(left <= 8, `${left.toFixed(1)} bytes each time`);
}

const longLived: Record<string, () => object> = {
  "a readable web stream": () => new ReadableStream(),
  "a writable web stream": () => new WritableStream(),
  "a web stream reader": () => new ReadableStream().getReader(),
  "a web stream writer": () => new WritableStream().getWriter(),
  "an abort controller": () => new AbortController(),
};

for (const [what, make] of Object.entries(longLived)) {
  test(`${what} that many owners have in turn does not remember them`, { skip }, async () => {
    const { custodian } = begin();
    const resource = make();
    await leavesNothing(() => {
      custodian.use(resource);
      custodian.release(resource);
    });
  });
}

test("what moves between two custodians all the time leaves nothing behind", { skip }, async () => {
  const [here, there] = [begin().custodian, begin().custodian];
  here.use(new Quiet());
  await leavesNothing(() => {
    here.moveTo(there);
    there.moveTo(here);
  });
});
