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
 * A slot is an array, and each entry knows its index in it. One that leaves early leaves a gap for the next one to fill; a
 * gap holds the index of the gap before it. In a list of links the address of the next entry comes with a cache miss of
 * its own, and each neighbour of one that leaves is another; the misses of an array's entries overlap.
 *
 * The wheel knows no clock and runs no action. Its cost is counted in `work`.
 */

const digitBits = 8;
const slotsPerLevel = 1 << digitBits;
const levels = 4;
/** Ticks are counted from the start of a turn (124 days at 10 ms), which keeps them small integers in every engine. */
const ticksPerTurn = 2 ** 30;

/** Numbered slots come first, then the lists that no tick numbers. */
const numberedSlots = levels * slotsPerLevel;
/** Beyond this turn: filed again when the next begins. */
const farSlot = numberedSlots;
/** The deadline is Infinity. */
const neverSlot = numberedSlots + 1;
/** Already past when filed: due at the next advance, whatever the time. */
const overdueSlot = numberedSlots + 2;
const allSlots = numberedSlots + 3;
const noSlot = -1;
const noGap = -1;
/** A slot longer than this gives its memory back when it has come up. */
const keptLength = 64;

/** The value of `WheelEntry.due` for an entry in no slot: not added yet, or fired or cancelled, for good. */
export const ended = -1;

/** Something with a deadline, which the wheel files in a slot. It belongs to whoever made it; the wheel writes the rest. */
export interface WheelEntry {
  /** The deadline, in the clock's milliseconds. */
  at: number;
  /** The tick at which its slot comes up, which tells the slot, too; `~slot` in a slot without a number; or `ended`. */
  due: number;
  /** Where it is in its slot. */
  index: number;
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

/** Entries and gaps. */
type Slot = (WheelEntry | number)[];

/** Stands for a slot that never held an entry, which most slots of a quiet manager never do. */
const unused: Slot = [];

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
  readonly #slots: Slot[] = Array.from({ length: allSlots }, () => unused);
  /** How many entries wait in each slot. */
  readonly #waiting: Int32Array = new Int32Array(allSlots);
  /** How long each slot is: entries and gaps. Its array may be longer, and holds no entry there. */
  readonly #length: Int32Array = new Int32Array(allSlots);
  /** The index of the gap in each slot that was made last, or `noGap`. */
  readonly #gap: Int32Array = new Int32Array(allSlots).fill(noGap);
  /** The slot that is coming up, where nobody fills the gaps, and how much of it is still to run: 0 at other times. */
  #running: Slot = [];
  #runningLength = 0;
  /** One bit a numbered slot in use, and one bit a word that is not 0, so that empty slots are never walked. */
  readonly #occupied: Int32Array = new Int32Array(numberedSlots / 32);
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
    if (this.#occupiedWords === 0 && this.#waiting[farSlot] === 0) this.#moveCursor(this.#tickAt(now));
    this.#size++;
    this.#file(entry, now);
  }

  /** Takes an entry out for good. */
  remove(entry: WheelEntry): void {
    this.#takeOut(entry);
    entry.due = ended;
    this.#size--;
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
    this.#takeOut(entry);
    entry.at = at;
    this.#file(entry, now);
  }

  /** When the wheel needs to advance for this entry, or for an earlier one. */
  timeFor(entry: WheelEntry): number {
    return entry.due >= 0 ? this.#timeOf(entry.due) : this.nextTime();
  }

  /** When the wheel next needs to advance: the time at which a slot in use comes up, or Infinity; -Infinity for at once. */
  nextTime(): number {
    if (this.#waiting[overdueSlot] !== 0) return -Infinity;
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
    for (const entries of [this.#running, ...this.#slots]) {
      for (const entry of entries) if (typeof entry !== "number") this.remove(entry);
    }
  }

  /**
   * A slot comes up: due entries leave, the others are filed where they now belong. The entries are set apart first,
   * because `due` runs user code, which may move any of them and file others into the same slot.
   */
  #comeUp(slot: number, now: number, due: (entry: WheelEntry) => number | undefined): void {
    this.work.slots++;
    if (this.#waiting[slot] === 0) return;
    const running = this.#slots[slot] as Slot;
    const length = this.#length[slot] as number;
    this.#slots[slot] = this.#running;
    this.#running = running;
    this.#runningLength = length;
    this.#empty(slot);
    while (this.#runningLength > 0) {
      const entry = running[--this.#runningLength] as WheelEntry | number;
      if (typeof entry === "number") continue;
      running[this.#runningLength] = noGap;
      this.work.entries++;
      if (entry.at > now) {
        this.#file(entry, now);
        continue;
      }
      entry.due = ended;
      this.#size--;
      const again = due(entry);
      if (again === undefined) continue;
      entry.at = again;
      this.add(entry, now);
    }
    if (length > keptLength) this.#running = [];
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
      this.#put(entry, this.#slotOf(tick | 0, shift));
    } else {
      const slot = at <= now ? overdueSlot : at === Infinity ? neverSlot : farSlot;
      entry.due = ~slot;
      this.#put(entry, slot);
    }
  }

  /** How many bits a tick ahead of the cursor is shifted by to give the digit that it is filed by. */
  #shiftOf(tick: number): number {
    return (31 - Math.clz32(tick ^ this.#cursor)) & -digitBits;
  }

  /** The slot for the ticks with this digit: 256 slots a level, and 8 bits of shift a level. */
  #slotOf(tick: number, shift: number): number {
    return shift * (slotsPerLevel / digitBits) + ((tick >> shift) & (slotsPerLevel - 1));
  }

  /** The tick at which a slot comes up: the first of those it stands for. */
  #tickOf(slot: number): number {
    if (slot === farSlot) return ticksPerTurn;
    const shift = (slot >> digitBits) * digitBits;
    const above = shift + digitBits;
    // A shift by 32 is a shift by 0: the digits above the last level are all 0.
    const upper = above < 32 ? (this.#cursor >> above) << above : 0;
    return upper | ((slot & (slotsPerLevel - 1)) << shift);
  }

  /** The slot in use that comes up first, or `noSlot`. Lower levels come up before higher ones. */
  #nextSlot(): number {
    if (this.#occupiedWords === 0) return this.#waiting[farSlot] === 0 ? noSlot : farSlot;
    const word = lowestBit(this.#occupiedWords);
    return word * 32 + lowestBit(this.#occupied[word] ?? 0);
  }

  #put(entry: WheelEntry, slot: number): void {
    let entries = this.#slots[slot] as Slot;
    if (entries === unused) this.#slots[slot] = entries = [];
    const gap = this.#gap[slot] as number;
    if (gap === noGap) {
      const index = this.#length[slot] as number;
      this.#length[slot] = index + 1;
      entry.index = index;
      entries[index] = entry;
    } else {
      this.#gap[slot] = entries[gap] as number;
      entry.index = gap;
      entries[gap] = entry;
    }
    const waiting = (this.#waiting[slot] as number) + 1;
    this.#waiting[slot] = waiting;
    if (waiting === 1) this.#mark(slot, true);
  }

  #takeOut(entry: WheelEntry): void {
    this.work.entries++;
    const { due, index } = entry;
    // What is set apart to run keeps its old tick, since writing each entry once more would cost a cache miss each.
    if (index < this.#runningLength && this.#running[index] === entry) {
      this.#running[index] = noGap;
      return;
    }
    const slot = due >= 0 ? this.#slotOf(due, this.#shiftOf(due)) : ~due;
    const entries = this.#slots[slot] as Slot;
    entries[index] = this.#gap[slot] as number;
    this.#gap[slot] = index;
    const waiting = (this.#waiting[slot] as number) - 1;
    if (waiting > 0) this.#waiting[slot] = waiting;
    else this.#empty(slot);
  }

  /** Nothing is in the slot any more. */
  #empty(slot: number): void {
    this.#waiting[slot] = 0;
    this.#length[slot] = 0;
    this.#gap[slot] = noGap;
    this.#mark(slot, false);
  }

  /** Notes whether a numbered slot is in use. */
  #mark(slot: number, used: boolean): void {
    if (slot >= numberedSlots) return;
    const word = slot >> 5;
    const bit = 1 << (slot & 31);
    const bits = this.#occupied[word] ?? 0;
    const marked = used ? bits | bit : bits & ~bit;
    this.#occupied[word] = marked;
    this.#occupiedWords = marked === 0 ? this.#occupiedWords & ~(1 << word) : this.#occupiedWords | (1 << word);
  }
}
