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

const digitBits = 8;
const slotsPerLevel = 1 << digitBits;
const levels = 4;
/** Ticks are counted from the start of a turn (124 days at 10 ms), which keeps them small integers in every engine. */
const ticksPerTurn = 2 ** 30;

/**
 * A slot has so many lists, filled in turn. Where each entry is a cache miss away, a slot that comes up waits for both ends of
 * each at once. They are two: whose turn it is is told by one bit.
 */
const lists = 2;

// The slots that no tick numbers come first, then the numbered slots of level 0, and so on.
/** The entries of the slot that is coming up. None is filed here: `~0` would be `ended`. */
const runningSlot = 0;
/** Beyond this turn: filed again when the next begins. */
const farSlot = 1;
/** The deadline is Infinity. */
const neverSlot = 2;
/** Already past when filed: due at the next advance, whatever the time. */
const overdueSlot = 3;
const firstNumbered = 4;
const noSlot = -1;
const noList = -1;
/** Of level 1, 80 seconds at 10 ms; the others are made when they are first needed. */
const slotsAtFirst = firstNumbered + slotsPerLevel + slotsPerLevel / 8;

/** The value of `WheelEntry.due` for an entry in no slot: not added yet, or fired or cancelled, for good. */
export const ended = -1;

/** Something with a deadline, which the wheel links into a slot. It belongs to whoever made it; the wheel writes the rest. */
export interface WheelEntry {
  /** The deadline, in the clock's milliseconds. */
  at: number;
  /** The tick at which its slot comes up, which tells the slot, too; `~slot` in a slot without a number; or `ended`. */
  due: number;
  /** In its slot. The previous one of the first is the last; the next one of the last is null. */
  previous: WheelEntry | null;
  next: WheelEntry | null;
}

/** What the wheel did since it was made: entries filed, taken out or looked at, and slots that came up. */
export interface WheelWork {
  entries: number;
  slots: number;
}

/** The position of the lowest bit that is set. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

export class TimingWheel {
  /** Milliseconds a tick. */
  readonly resolution: number;
  readonly work: WheelWork = { entries: 0, slots: 0 };
  /** The time at which this turn began: that of its tick 0. */
  #origin: number;
  /** Every tick of this turn up to this one has come up. No slot in use stands for it or an earlier one. */
  #cursor = 0;
  /** The entries that wait. */
  #size = 0;
  /** Whose turn it is of the lists of a slot. */
  #list = 0;
  /** Of each list of each slot. */
  readonly #first: (WheelEntry | null)[] = Array.from({ length: slotsAtFirst * lists }, () => null);
  /** One bit a numbered slot in use, and one bit a word that is not 0, so that empty slots are never walked. */
  readonly #occupied: Int32Array = new Int32Array((levels * slotsPerLevel) / 32);
  #occupiedWords = 0;

  constructor(resolution: number, now: number) {
    this.resolution = resolution;
    this.#origin = now;
  }

  get size(): number {
    return this.#size;
  }

  /** Files a new entry. */
  add(entry: WheelEntry, now: number): void {
    if (this.#occupiedWords === 0 && this.#isEmpty(farSlot)) this.#moveCursor(this.#tickAt(now));
    this.#size++;
    this.#file(entry, now);
  }

  /** Takes an entry out for good. */
  remove(entry: WheelEntry): void {
    this.#unlink(entry);
    this.#end(entry);
  }

  /**
   * Whether moving the entry to `at` takes no more than writing it: its slot comes up no later than that. Reads nothing
   * of the entry but `due`, because the deadline itself is a cache line further away.
   */
  staysFiled(entry: WheelEntry, at: number): boolean {
    return entry.due >= 0 && at - this.#origin >= entry.due * this.resolution;
  }

  /** Moves a waiting entry's deadline where it does not stay filed. O(1). */
  move(entry: WheelEntry, at: number, now: number): void {
    this.#unlink(entry);
    entry.at = at;
    this.#file(entry, now);
  }

  /** When the wheel needs to advance for this entry, or for an earlier one. */
  timeFor(entry: WheelEntry): number {
    return entry.due >= 0 ? this.#timeOf(entry.due) : this.nextTime();
  }

  /** When the wheel next needs to advance: the time at which a slot in use comes up, or Infinity; -Infinity for at once. */
  nextTime(): number {
    if (!this.#isEmpty(overdueSlot)) return -Infinity;
    const slot = this.#nextSlot();
    return slot === noSlot ? Infinity : this.#timeOf(this.#tickOf(slot));
  }

  /**
   * Brings the wheel to `now` and hands over each entry whose deadline has passed. A handed entry has left the wheel
   * unless `due` gives back a new deadline for it. `due` may add, move and remove any entry.
   */
  advance(now: number, due: (entry: WheelEntry) => number | undefined): void {
    this.#comeUp(overdueSlot, now, due);
    for (let slot = this.#nextSlot(); slot !== noSlot; slot = this.#nextSlot()) {
      const tick = this.#tickOf(slot);
      if (this.#timeOf(tick) > now) break;
      this.#moveCursor(tick);
      this.#comeUp(slot, now, due);
    }
    this.#moveCursor(this.#tickAt(now));
  }

  /** Takes every entry out. */
  clear(): void {
    for (let list = 0; list < this.#first.length; list++) {
      for (let entry = this.#first[list] ?? null; entry !== null; entry = this.#first[list] ?? null) this.remove(entry);
    }
  }

  /**
   * A slot comes up: due entries leave, the others are filed where they now belong. The entries are set apart first,
   * because `due` runs user code, which may move any of them and file others into the same slot. They are taken from
   * all ends in turn.
   */
  #comeUp(slot: number, now: number, due: (entry: WheelEntry) => number | undefined): void {
    this.work.slots++;
    const firsts = this.#first;
    for (let list = 0; list < lists; list++) {
      firsts[runningSlot * lists + list] = firsts[slot * lists + list] ?? null;
      firsts[slot * lists + list] = null;
    }
    this.#mark(slot, false);
    for (let turn = 0; !this.#isEmpty(runningSlot); turn++) {
      const list = runningSlot * lists + (turn % lists);
      const first = firsts[list] ?? null;
      if (first === null) continue;
      const fromEnd = (turn & lists) > 0;
      const entry = fromEnd ? (first.previous as WheelEntry) : first;
      this.work.entries++;
      this.#detach(first, entry, list);
      if (entry.at > now) {
        this.#file(entry, now);
        continue;
      }
      this.#end(entry);
      const again = due(entry);
      if (again === undefined) continue;
      entry.at = again;
      this.add(entry, now);
    }
  }

  /** The entry, which has left its slot, forgets its neighbours: a timer that someone keeps must keep no other alive. */
  #end(entry: WheelEntry): void {
    entry.due = ended;
    entry.previous = null;
    entry.next = null;
    this.#size--;
  }

  #timeOf(tick: number): number {
    return this.#origin + tick * this.resolution;
  }

  /** The last tick that is not after `now`. The division may be rounded up to the next one. */
  #tickAt(now: number): number {
    const tick = Math.floor((now - this.#origin) / this.resolution);
    return this.#timeOf(tick) > now ? tick - 1 : tick;
  }

  /** Moves the cursor forward to a tick before any slot in use, or of the slot that is coming up. */
  #moveCursor(tick: number): void {
    if (tick <= this.#cursor) return;
    const turns = Math.floor(tick / ticksPerTurn);
    if (turns > 0) this.#origin += turns * ticksPerTurn * this.resolution;
    this.#cursor = (tick - turns * ticksPerTurn) | 0;
  }

  #file(entry: WheelEntry, now: number): void {
    this.work.entries++;
    const { at } = entry;
    const tick = Math.max(Math.ceil((at - this.#origin) / this.resolution), this.#cursor + 1);
    if (at > now && tick < ticksPerTurn) {
      const shift = this.#shiftOf(tick | 0);
      entry.due = (tick >> shift) << shift;
      this.#link(entry, this.#slotOf(tick | 0, shift));
    } else {
      const slot = at <= now ? overdueSlot : at === Infinity ? neverSlot : farSlot;
      entry.due = ~slot;
      this.#link(entry, slot);
    }
  }

  /** How many bits a tick ahead of the cursor is shifted by to give the digit that it is filed by. */
  #shiftOf(tick: number): number {
    return (31 - Math.clz32(tick ^ this.#cursor)) & -digitBits;
  }

  /** The slot for the ticks with this digit: 256 slots a level, and 8 bits of shift a level. */
  #slotOf(tick: number, shift: number): number {
    return firstNumbered + shift * (slotsPerLevel / digitBits) + ((tick >> shift) & (slotsPerLevel - 1));
  }

  /** The tick at which a slot comes up: the first of those it stands for. */
  #tickOf(slot: number): number {
    if (slot === farSlot) return ticksPerTurn;
    const numbered = slot - firstNumbered;
    const shift = (numbered >> digitBits) * digitBits;
    const above = shift + digitBits;
    // A shift by 32 is a shift by 0: the digits above the last level are all 0.
    const upper = above < 32 ? (this.#cursor >> above) << above : 0;
    return upper | ((numbered & (slotsPerLevel - 1)) << shift);
  }

  /** The slot in use that comes up first, or `noSlot`. Lower levels come up before higher ones. */
  #nextSlot(): number {
    if (this.#occupiedWords === 0) return this.#isEmpty(farSlot) ? noSlot : farSlot;
    const word = lowestBit(this.#occupiedWords);
    return firstNumbered + word * 32 + lowestBit(this.#occupied[word] ?? 0);
  }

  #isEmpty(slot: number): boolean {
    return this.#first[slot * lists] === null && this.#first[slot * lists + 1] === null;
  }

  #link(entry: WheelEntry, slot: number): void {
    const firsts = this.#first;
    while (slot * lists >= firsts.length) firsts.push(null, null);
    const list = slot * lists + (this.#list ^= 1);
    const second = firsts[list] ?? null;
    entry.next = second;
    firsts[list] = entry;
    entry.previous = second === null ? entry : second.previous;
    if (second === null) this.#mark(slot, true);
    else second.previous = entry;
  }

  #unlink(entry: WheelEntry): void {
    this.work.entries++;
    const { due, next } = entry;
    const previous = entry.previous as WheelEntry;
    if (next !== null && previous.next !== null) {
      previous.next = next;
      next.previous = previous;
      return;
    }
    // What is set apart to run keeps its old tick: writing each entry once more would cost a cache miss each.
    const running = this.#isEmpty(runningSlot) ? noList : this.#listEndingWith(entry, runningSlot);
    const slot = running !== noList ? runningSlot : due >= 0 ? this.#slotOf(due, this.#shiftOf(due)) : ~due;
    const list = running !== noList ? running : this.#listEndingWith(entry, slot);
    this.#detach(this.#first[list] as WheelEntry, entry, list);
    if (this.#isEmpty(slot)) this.#mark(slot, false);
  }

  /** The list of the slot that the entry is the first or the last of, or `noList`. */
  #listEndingWith(entry: WheelEntry, slot: number): number {
    for (let list = slot * lists; list < slot * lists + lists; list++) {
      const first = this.#first[list] ?? null;
      if (first === entry || first?.previous === entry) return list;
    }
    return noList;
  }

  /** Takes the first or the last entry out of the list. */
  #detach(first: WheelEntry, entry: WheelEntry, list: number): void {
    const previous = entry.previous as WheelEntry;
    if (entry !== first) {
      previous.next = null;
      first.previous = previous;
      return;
    }
    const { next } = entry;
    if (next !== null) next.previous = previous;
    this.#first[list] = next;
  }

  /** Notes whether a numbered slot is in use. */
  #mark(slot: number, used: boolean): void {
    const numbered = slot - firstNumbered;
    if (numbered < 0) return;
    const word = numbered >> 5;
    const bit = 1 << (numbered & 31);
    const bits = this.#occupied[word] ?? 0;
    const marked = used ? bits | bit : bits & ~bit;
    this.#occupied[word] = marked;
    this.#occupiedWords = marked === 0 ? this.#occupiedWords & ~(1 << word) : this.#occupiedWords | (1 << word);
  }
}
