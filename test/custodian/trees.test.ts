/**
 * Random trees: whatever is managed is shut down exactly once, newest first, whatever throws, rejects or never settles.
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import * as fc from "fast-check";
import { ManualClock } from "../../src/core/manual-clock.ts";
import { makeCustodian } from "../../src/custodian/index.ts";
import type { Custodian } from "../../src/custodian/index.ts";
import { turn } from "./support.ts";

/** How a closer ends. */
const endings = ["at once", "throws", "resolves", "rejects", "never", "closes at once", "closes later"] as const;
type Ending = (typeof endings)[number];

type Node = { closer: Ending } | { children: Node[] };

const { tree } = fc.letrec<{ tree: Node[]; node: Node }>((tie) => ({
  tree: fc.array(tie("node"), { maxLength: 6 }),
  node: fc.oneof(
    { maxDepth: 6 },
    { weight: 3, arbitrary: fc.record({ closer: fc.constantFrom(...endings) }) },
    { weight: 1, arbitrary: fc.record({ children: tie("tree") }) },
  ),
}));

class Closable extends EventEmitter {
  readonly ending: () => void;

  constructor(ending: () => void) {
    super();
    this.ending = ending;
  }

  close() {
    this.ending();
  }
}

interface Planted {
  /** Every leaf, in the order in which it is to be told: newest first, depth first. */
  order: number[];
  told: number[];
  endings: Ending[];
  custodians: Custodian[];
  closables: Closable[];
}

function plant(root: Custodian, nodes: Node[]): Planted {
  const planted: Planted = { order: [], told: [], endings: [], custodians: [root], closables: [] };
  const grow = (custodian: Custodian, below: Node[]): number[] => {
    const told: number[][] = [];
    for (const node of below) {
      if ("children" in node) {
        const child = custodian.child();
        planted.custodians.push(child);
        told.push(grow(child, node.children));
      } else told.push([leaf(custodian, node.closer)]);
    }
    return told.toReversed().flat();
  };
  const leaf = (custodian: Custodian, ending: Ending): number => {
    const id = planted.endings.push(ending) - 1;
    if (ending.startsWith("closes")) {
      const closable: Closable = new Closable(() => {
        planted.told.push(id);
        if (ending === "closes at once") closable.emit("close");
        else setImmediate(() => closable.emit("close"));
      });
      planted.closables.push(closable);
      custodian.use(closable);
    } else {
      custodian.defer(() => {
        planted.told.push(id);
        return end(ending);
      });
    }
    return id;
  };
  planted.order = grow(root, nodes);
  return planted;
}

function end(ending: Ending): unknown {
  switch (ending) {
    case "throws":
      throw new Error("thrown");
    case "resolves":
      return turn();
    case "rejects":
      return turn().then(() => Promise.reject(new Error("rejected")));
    case "never":
      return new Promise(() => {});
    default:
      return undefined;
  }
}

const failing: ReadonlySet<Ending> = new Set(["throws", "rejects", "never"]);

test("everything in a tree is told to end exactly once, newest first, and every failure is reported once", () =>
  fc.assert(
    fc.asyncProperty(tree, async (nodes) => {
      const clock = new ManualClock();
      const reported: Error[] = [];
      const root = makeCustodian(null, { clock, onError: (error) => reported.push(error) });
      const planted = plant(root, nodes);
      const shutdown = root.shutdownAll();
      assert.deepEqual(planted.told, planted.order, "what can be done synchronously is done on return");
      await turn();
      await turn();
      clock.advance(5000);
      const { errors } = await shutdown;
      assert.deepEqual(planted.told, planted.order, "and nothing is told twice");
      assert.equal(errors.length, planted.endings.filter((ending) => failing.has(ending)).length);
      assert.deepEqual(reported, errors);
      for (const custodian of planted.custodians) {
        assert.equal(custodian.isShutDown, true);
        assert.deepEqual(custodian.managedList(), []);
        assert.equal(custodian.parent, null);
      }
      for (const closable of planted.closables) assert.equal(closable.listenerCount("close"), 0);
    }),
  ));

function pick<T>(list: T[], at: number): T {
  return list[at % list.length] as T;
}

/** Does what may be refused because a custodian is shut down or because of the shape of the tree. */
function attempt(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    assert.match((error as { code: string }).code, /^ERR_PORTREEVE_(?:CUSTODIAN_SHUT_DOWN|ARGUMENT_TYPE)$/u);
  }
}

/** What may happen to a forest before, and while, it is shut down. */
type Step =
  | { step: "make" | "own" | "shut down" | "end"; at: number }
  | { step: "move" | "use" | "release"; at: number; to: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ step: fc.constantFrom("make", "own", "shut down", "end"), at: fc.nat(30) }),
    fc.record({ step: fc.constantFrom("move", "use", "release"), at: fc.nat(30), to: fc.nat(30) }),
  ) as fc.Arbitrary<Step>,
  { maxLength: 80 },
);

test("whatever moves, leaves, is given up or shut down early: nothing ends twice, and nothing owned is forgotten", () =>
  fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const root = makeCustodian(null);
      const custodians = [root];
      const closables: { closable: Closable; ends: number; given: boolean; endedItself: boolean }[] = [];
      for (const { step, ...where } of history) {
        const custodian = pick(custodians, where.at);
        const other = pick(custodians, "to" in where ? where.to : 0);
        if (step === "make") attempt(() => custodians.push(custodian.child()));
        if (step === "own") {
          const entry = { closable: new Closable(() => {}), ends: 0, given: false, endedItself: false };
          entry.closable.close = () => {
            entry.ends++;
            entry.closable.emit("close");
          };
          closables.push(entry);
          attempt(() => custodian.use(entry.closable));
        }
        if (step === "end" && closables.length > 0) {
          const entry = pick(closables, where.at);
          entry.endedItself ||= entry.ends === 0;
          entry.closable.emit("close");
        }
        if (step === "shut down" && custodian !== root) void custodian.shutdownAll();
        if (step === "move") attempt(() => custodian.moveTo(other));
        if (step === "use" && custodian !== root) attempt(() => other.use(custodian));
        if (step === "release" && closables.length > 0) {
          const entry = pick(closables, where.at);
          for (const owner of custodians) entry.given = owner.release(entry.closable) || entry.given;
        }
      }
      const { errors } = await root.shutdownAll();
      assert.deepEqual(errors, []);
      for (const custodian of custodians) assert.equal(custodian.isShutDown, true);
      for (const { ends, given, endedItself } of closables) assert.equal(ends, given || endedItself ? 0 : 1);
    }),
    { numRuns: 300 },
  ));
