/**
 * A hierarchical timing wheel: where entries wait for their deadlines.
 *
 * Time is cut into ticks of one resolution. Level 0 has a slot for each of the 256 ticks that share the cursor's upper
 * digits (base 256), level 1 a slot for each 256 ticks, and so on; what lies beyond the last level waits in one list of
 * its own. An entry is filed by the highest digit in which its tick differs from the cursor's. When a slot of a higher
 * level comes up, its entries are filed again, one level further down at least, so each entry is filed at most once a
 * level however many entries there are.
 *
 * A deadline that moves to later only changes a number: when the old slot comes up, the entry is filed again. A slot
 * therefore never comes up after the deadline of an entry in it, rounded up to a tick; that is the one invariant.
 *
 * The wheel knows no clock and runs no action. Its cost is counted in `work`.
 */

const bits = 8;
const slotsPerLevel = 2 ** bits;
const levels = 4;
const wordsPerLevel = slotsPerLevel / 32;
/** Beyond the last level: looked through when the cursor's top digit wraps (every 497 days at 10 ms). */
const farSlot = levels * slotsPerLevel;
/** Already past when filed: due at the next advance, whatever the time. */
const overdueSlot = farSlot + 1;
/** The overdue entries of the advance that is under way. */
const runningSlot = farSlot + 2;

/** Values of `WheelEntry.due` for entries in no numbered slot; all negative. */
/** In no slot: not filed yet, or the deadline is Infinity. */
export const unfiled = -1;
/** Fired or cancelled, for good. */
export const ended = -2;
const far = -3;
const overdue = -4;
const running = -5;

/** Something with a deadline, which the wheel links into a slot. It belongs to whoever made it; the wheel writes the rest. */
export interface WheelEntry {
  /** The deadline, in the clock's milliseconds. */
  at: number;
  /** The tick at which its slot comes up, or one of the values above. It tells the slot, too. */
  due: number;
  previous: WheelEntry | null;
  next: WheelEntry | null;
}

/** What the wheel did since it was made: entries filed, taken out or looked at, and slots looked at. */
export interface WheelWork {
  entries: number;
  slots: number;
}

/** Keeps a number that is a small integer in the engine's unboxed form; divisions make boxed ones. */
function asSmallInteger(tick: number): number {
  return tick < 2 ** 31 ? tick | 0 : tick;
}

export class TimingWheel {
  /** Milliseconds a tick. */
  readonly resolution: number;
  readonly work: WheelWork = { entries: 0, slots: 0 };
  /** The time of tick 0. */
  readonly origin: number;
  /** Every tick up to this one has come up. */
  #cursor = 0;
  /** The entries that wait, those with an infinite deadline included. */
  #size = 0;
  readonly #heads: (WheelEntry | null)[] = Array.from({ length: runningSlot + 1 }, () => null);
  /** One bit a slot, so that the next slot in use is found without walking the empty ones. */
  readonly #occupied: Int32Array = new Int32Array(levels * wordsPerLevel);

  constructor(resolution: number, now: number) {
    this.resolution = resolution;
    this.origin = now;
  }

  get size(): number {
    return this.#size;
  }

  /** Files a new entry. */
  add(entry: WheelEntry, now: number): void {
    if (this.#nextSlot() === unfiled) this.#cursor = Math.floor((now - this.origin) / this.resolution);
    this.#size++;
    this.#file(entry, now);
  }

  /** Takes an entry out for good. */
  remove(entry: WheelEntry): void {
    this.#unlink(entry);
    entry.due = ended;
    this.#size--;
  }

  /**
   * Whether moving the entry to `at` takes no more than writing it: its slot comes up no later than that. Reads nothing
   * of the entry but `due`, because the deadline itself is a cache line further away.
   */
  staysFiled(entry: WheelEntry, at: number): boolean {
    return entry.due >= 0 && at - this.origin >= entry.due * this.resolution;
  }

  /** Moves a waiting entry's deadline: one write where it stays filed, else it is filed again. O(1). */
  move(entry: WheelEntry, at: number, now: number): void {
    entry.at = at;
    if (at > now && entry.due >= 0 && this.#tickOf(at) >= entry.due) return;
    this.#unlink(entry);
    this.#file(entry, now);
  }

  /** When the wheel next needs to advance: the time a slot in use comes up, or Infinity. Never later than a deadline plus one resolution. */
  nextTime(): number {
    if (this.#heads[overdueSlot] !== null) return -Infinity;
    const slot = this.#nextSlot();
    return slot === unfiled ? Infinity : this.origin + this.#comesUp(slot) * this.resolution;
  }

  /**
   * Brings the wheel to `now` and hands over each entry whose deadline has passed. A handed entry has left the wheel
   * unless `due` gives back a new deadline for it. `due` may add, move and remove any entry.
   */
  advance(now: number, due: (entry: WheelEntry) => number | undefined): void {
    this.#come(overdueSlot, now, due);
    const target = Math.floor((now - this.origin) / this.resolution);
    for (let slot = this.#nextSlot(); slot !== unfiled; slot = this.#nextSlot()) {
      const tick = this.#comesUp(slot);
      if (tick > target) break;
      this.#cursor = tick;
      this.#come(slot, now, due);
    }
    if (target > this.#cursor) this.#cursor = target;
  }

  /** Forgets every entry. */
  clear(): void {
    for (let slot = 0; slot < this.#heads.length; slot++) {
      for (let entry = this.#heads[slot] ?? null; entry !== null; entry = this.#heads[slot] ?? null) this.remove(entry);
    }
    this.#size = 0;
  }

  /**
   * A slot comes up: due entries leave, the others are filed where they now belong. The entries are set apart first,
   * because `due` runs user code, which may move any of them and file others into the same slot.
   */
  #come(slot: number, now: number, due: (entry: WheelEntry) => number | undefined): void {
    this.work.slots++;
    const first = this.#heads[slot] ?? null;
    this.#heads[slot] = null;
    this.#mark(slot, false);
    this.#heads[runningSlot] = first;
    for (let entry = first; entry !== null; entry = entry.next) entry.due = running;
    for (let entry = first; entry !== null; entry = this.#heads[runningSlot] ?? null) {
      if (entry.at > now) {
        this.#unlink(entry);
        this.#file(entry, now);
        continue;
      }
      this.remove(entry);
      const again = due(entry);
      if (again === undefined) continue;
      entry.at = again;
      this.add(entry, now);
    }
  }

  #tickOf(at: number): number {
    return Math.ceil((at - this.origin) / this.resolution);
  }

  #file(entry: WheelEntry, now: number): void {
    this.work.entries++;
    entry.previous = null;
    entry.next = null;
    if (entry.at === Infinity) {
      entry.due = unfiled;
      return;
    }
    const slot = entry.at <= now ? overdueSlot : this.#slotOf(Math.max(this.#tickOf(entry.at), this.#cursor + 1));
    entry.due = slot < farSlot ? asSmallInteger(this.#comesUp(slot)) : slot === farSlot ? far : overdue;
    const head = this.#heads[slot] ?? null;
    this.#heads[slot] = entry;
    entry.next = head;
    if (head !== null) head.previous = entry;
    else this.#mark(slot, true);
  }

  /** The slot of a tick ahead of the cursor; the same for the first tick of a slot as for the others. Divisions rather than shifts: ticks pass 2^31 after 248 days. */
  #slotOf(tick: number): number {
    let digits = tick;
    let cursor = this.#cursor;
    for (let level = 0; level < levels; level++) {
      const upper = Math.floor(digits / slotsPerLevel);
      const cursorUpper = Math.floor(cursor / slotsPerLevel);
      if (upper === cursorUpper) return (level * slotsPerLevel + (digits - upper * slotsPerLevel)) | 0;
      digits = upper;
      cursor = cursorUpper;
    }
    return farSlot;
  }

  /** The tick at which a slot comes up: the first of those it stands for. */
  #comesUp(slot: number): number {
    if (slot === farSlot) return (Math.floor(this.#cursor / slotsPerLevel ** levels) + 1) * slotsPerLevel ** levels;
    const level = slot >> bits;
    const span = slotsPerLevel ** level;
    const turn = span * slotsPerLevel;
    return Math.floor(this.#cursor / turn) * turn + (slot & (slotsPerLevel - 1)) * span;
  }

  /** The slot in use that comes up first, or `unfiled`. Lower levels come up before higher ones. */
  #nextSlot(): number {
    for (let word = 0; word < this.#occupied.length; word++) {
      const set = this.#occupied[word] ?? 0;
      if (set !== 0) return word * 32 + 31 - Math.clz32(set & -set);
    }
    return this.#heads[farSlot] === null ? unfiled : farSlot;
  }

  #unlink(entry: WheelEntry): void {
    this.work.entries++;
    const { due, previous, next } = entry;
    if (due === unfiled) return;
    if (next !== null) next.previous = previous;
    if (previous !== null) previous.next = next;
    else {
      const slot = due >= 0 ? this.#slotOf(due) : due === far ? farSlot : due === overdue ? overdueSlot : runningSlot;
      this.#heads[slot] = next;
      if (next === null) this.#mark(slot, false);
    }
  }

  #mark(slot: number, used: boolean): void {
    if (slot >= farSlot) return;
    const word = this.#occupied[slot >> 5] ?? 0;
    this.#occupied[slot >> 5] = used ? word | (1 << (slot & 31)) : word & ~(1 << (slot & 31));
  }
}
