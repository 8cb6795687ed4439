import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LinkedList } from "../../src/core/linked-list.ts";
import type { Linked } from "../../src/core/linked-list.ts";

class Member implements Linked<Member> {
  older: Member | null = null;
  newer: Member | null = null;
  place = 0;
  readonly name: number;

  constructor(name: number) {
    this.name = name;
  }
}

/** What happens to a list: a member comes, or the one at this position of those that are in it leaves. */
const step = fc.oneof(
  fc.constant({ comes: true as const }),
  fc.nat(20).map((position) => ({ comes: false as const, position })),
);

/** A list and what an array says of it. */
class Pair {
  readonly list: LinkedList<Member> = new LinkedList();
  readonly model: Member[] = [];
  #made = 0;

  take(one: { comes: true } | { comes: false; position: number }): void {
    if (one.comes) {
      const member = new Member(this.#made++);
      this.list.add(member);
      this.model.push(member);
      return;
    }
    const [member] = this.model.splice(one.position % Math.max(1, this.model.length), 1);
    if (member === undefined) return;
    this.list.remove(member);
    assert.deepEqual([member.older, member.newer, member.place], [null, null, 0]);
    this.list.remove(member);
  }
}

test("a list has who came and has not left, oldest first, and whoever has left keeps nobody", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pair = new Pair();
      for (const one of steps) {
        pair.take(one);
        assert.equal(pair.list.size, pair.model.length);
        assert.deepEqual([...pair.list], pair.model);
      }
    }),
  );
});

test("a walk hands out everybody who is there all the while, once and in order, and nobody who has left before", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 20 }),
      fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 30 }),
      (before, meanwhile) => {
        const pair = new Pair();
        for (const one of before) pair.take(one);
        const there = new Set(pair.model);
        const met: Member[] = [];
        for (const member of pair.list) {
          assert.ok(pair.model.includes(member), "it has left");
          met.push(member);
          for (const one of meanwhile[met.length - 1] ?? []) pair.take(one);
        }
        const names = met.map(({ name }) => name);
        assert.deepEqual(
          names,
          [...new Set(names)].toSorted((a, b) => a - b),
        );
        // Also those that came meanwhile and stayed.
        for (const member of pair.model)
          assert.ok(met.includes(member), there.has(member) ? "one was missed" : "a new one");
      },
    ),
  );
});

test("a walk that has come to its end stays there", () => {
  const list = new LinkedList<Member>();
  const walk = list[Symbol.iterator]();
  assert.equal(walk.next().done, true);
  list.add(new Member(1));
  assert.equal(walk.next().done, true);
});
