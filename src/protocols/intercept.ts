/**
 * Taking an event of a server before its own listeners hear it, by an `emit` of its own on that one server. The
 * prototype's `emit` is looked up at each call, because others may have replaced it meanwhile. What an event brings stays in
 * the one array that it came in, and what is taken is in a list: some are taken for each request.
 */
import type { EventEmitter } from "node:events";

type Handler = (args: readonly unknown[]) => void;
type Emit = (this: EventEmitter, event: string | symbol, ...args: unknown[]) => boolean;

/** A taken event: how to pass it on to the server's own listeners, and how to give it back for good. */
export interface Interception {
  pass(args: readonly unknown[]): boolean;
  restore(): void;
}

interface TakenEvent {
  readonly event: string;
  readonly handler: Handler;
  next: TakenEvent | null;
}

/** All that is taken of one emitter. */
interface Taken {
  /** In the order in which they were taken. */
  first: TakenEvent | null;
  /** The `emit` that the emitter has from us. */
  readonly emit: Emit;
  /** An `emit` of its own that the emitter had before. */
  earlier: Emit | null;
  /** Asking an emitter for its prototype costs more than all the rest. */
  readonly prototype: { readonly emit: Emit };
}

const takenKey = Symbol.for("portreeve.intercepted.v2");

interface Intercepted {
  emit?: Emit;
  [takenKey]?: Taken;
}

export function interceptEmit(emitter: EventEmitter, event: string, handler: Handler): Interception {
  const own = emitter as unknown as Intercepted;
  const known = own[takenKey];
  // One that was given back while others had wrapped it may be below or gone. A new one on top is right in both cases.
  const taken = known?.first == null ? takeNothing(emitter) : known;
  if (taken !== known) {
    taken.earlier = Object.hasOwn(own, "emit") && own.emit !== known?.emit ? (own.emit ?? null) : null;
    own[takenKey] = taken;
    own.emit = taken.emit;
  }
  const one: TakenEvent = { event, handler, next: null };
  add(taken, one);
  return {
    pass: (args) => passOn(taken, emitter, event, args),
    restore() {
      remove(taken, one);
      // Where somebody has wrapped ours meanwhile, it stays below, and passes everything on.
      if (taken.first !== null || own[takenKey] !== taken || own.emit !== taken.emit) return;
      if (taken.earlier === null) delete own.emit;
      else own.emit = taken.earlier;
      delete own[takenKey];
    },
  };
}

/** Whether the event is taken already. */
export function isIntercepted(emitter: EventEmitter, event: string): boolean {
  const taken = (emitter as unknown as Intercepted)[takenKey];
  return taken !== undefined && find(taken, event) !== null;
}

function takeNothing(emitter: EventEmitter): Taken {
  const taken: Taken = {
    first: null,
    // What it needs is at hand without a look at the emitter: those who share a function have too many shapes for V8.
    emit(this: EventEmitter, event, ...args) {
      const one = find(taken, event);
      // A copy of the emitter, as test runners make of `process`, has listeners of its own.
      if (one === null) return passOn(taken, this, event, args);
      one.handler(args);
      return true;
    },
    earlier: null,
    prototype: Object.getPrototypeOf(emitter) as Taken["prototype"],
  };
  return taken;
}

function add(taken: Taken, one: TakenEvent): void {
  let last = taken.first;
  if (last === null) {
    taken.first = one;
    return;
  }
  while (last.next !== null) last = last.next;
  last.next = one;
}

function remove(taken: Taken, one: TakenEvent): void {
  if (taken.first === one) taken.first = one.next;
  for (let other = taken.first; other !== null; other = other.next) {
    if (other.next === one) other.next = one.next;
  }
}

function find(taken: Taken, event: string | symbol): TakenEvent | null {
  let one = taken.first;
  while (one !== null && one.event !== event) one = one.next;
  return one;
}

/** Connections have one value, requests two and streams four; spreading them shows in what they cost. */
function passOn(taken: Taken, emitter: EventEmitter, event: string | symbol, args: readonly unknown[]): boolean {
  const emit = taken.earlier ?? taken.prototype.emit;
  switch (args.length) {
    case 1:
      return emit.call(emitter, event, args[0]);
    case 2:
      return emit.call(emitter, event, args[0], args[1]);
    case 4:
      return emit.call(emitter, event, args[0], args[1], args[2], args[3]);
    default:
      return emit.call(emitter, event, ...args);
  }
}
