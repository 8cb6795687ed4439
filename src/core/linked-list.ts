/**
 * A list whose members link themselves, oldest first. For what comes and goes all the time: a Map or a Set makes a new table
 * whenever many have gone, and each old one that no major collection has found yet keeps the next one, and with it what
 * was in it. So most that came and went would survive the minor collections, at twice the cost.
 */

/** What a list writes to its members. A member is in one list at most, and is added once. */
export interface Linked<Member> {
  /** @internal */
  older: Member | null;
  /** @internal */
  newer: Member | null;
  /** Grows from each member to the next one; 0 for one that is in no list. @internal */
  place: number;
}

/** Adding and removing are O(1). While it is walked through any of them may leave, and those that come are seen, too. */
export class LinkedList<Member extends Linked<Member>> implements Iterable<Member> {
  #oldest: Member | null = null;
  #newest: Member | null = null;
  #size = 0;
  #places = 0;

  get size(): number {
    return this.#size;
  }

  get oldest(): Member | null {
    return this.#oldest;
  }

  add(member: Member): void {
    const before = this.#newest;
    member.place = ++this.#places;
    member.older = before;
    if (before === null) this.#oldest = member;
    else before.newer = member;
    this.#newest = member;
    this.#size++;
  }

  /** Does nothing where it is in no list. */
  remove(member: Member): void {
    if (member.place === 0) return;
    const { older, newer } = member;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    // It keeps nobody: somebody may keep it.
    member.older = null;
    member.newer = null;
    member.place = 0;
    this.#size--;
  }

  [Symbol.iterator](): IterableIterator<Member> {
    return new Walk(this);
  }

  /** The oldest that is newer than `place`. O(n). */
  after(place: number): Member | null {
    let member = this.#oldest;
    while (member !== null && member.place <= place) member = member.newer;
    return member;
  }
}

class Walk<Member extends Linked<Member>> implements IterableIterator<Member> {
  readonly #list: LinkedList<Member>;
  #member: Member | null = null;
  /** Of `#member` when it was handed out, and who came next then. */
  #place = 0;
  #next: Member | null = null;
  #done = false;

  constructor(list: LinkedList<Member>) {
    this.#list = list;
  }

  next(): IteratorResult<Member, undefined> {
    const member = this.#done ? null : this.#following();
    this.#member = member;
    if (member === null) {
      this.#done = true;
      this.#next = null;
      return { done: true, value: undefined };
    }
    this.#place = member.place;
    this.#next = member.newer;
    return { done: false, value: member };
  }

  [Symbol.iterator](): this {
    return this;
  }

  #following(): Member | null {
    const member = this.#member;
    if (member === null) return this.#list.oldest;
    if (member.place === this.#place) return member.newer;
    // It has left meanwhile, and so may have the next one.
    const next = this.#next;
    return next !== null && next.place !== 0 ? next : this.#list.after(this.#place);
  }
}
