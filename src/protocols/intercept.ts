/**
 * Taking an event of a server before its own listeners hear it, by an `emit` of its own on that one server. The
 * prototype's `emit` is looked up at each call, because others may have replaced it meanwhile. Some events are taken for each
 * request, and so what they bring is in an array only where they are taken, and what is taken is in a list.
 */
import type { EventEmitter } from "node:events";
import { LinkedList } from "../core/linked-list.ts";
import type { Linked } from "../core/linked-list.ts";

type Handler = (args: readonly unknown[]) => void;
type Emit = (this: EventEmitter, event: string | symbol, ...args: unknown[]) => boolean;

/** A taken event: how to pass it on to the server's own listeners, and how to give it back for good. */
export interface Interception {
  pass(args: readonly unknown[]): boolean;
  restore(): void;
}

interface TakenEvent extends Linked<TakenEvent> {
  readonly event: string;
  readonly handler: Handler;
}

/** All that is taken of one emitter. */
interface Taken {
  readonly events: LinkedList<TakenEvent>;
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
  const taken = known === undefined || known.events.size === 0 ? takeNothing(emitter) : known;
  if (taken !== known) {
    taken.earlier = Object.hasOwn(own, "emit") && own.emit !== known?.emit ? (own.emit ?? null) : null;
    own[takenKey] = taken;
    own.emit = taken.emit;
  }
  const one: TakenEvent = { event, handler, older: null, newer: null, place: 0 };
  taken.events.add(one);
  return {
    pass: (args) => passOn(taken, emitter, event, args),
    restore() {
      taken.events.remove(one);
      // Where somebody has wrapped ours meanwhile, it stays below, and passes everything on.
      if (taken.events.size > 0 || own[takenKey] !== taken || own.emit !== taken.emit) return;
      if (taken.earlier === null) delete own.emit;
      else own.emit = taken.earlier;
      delete own[takenKey];
    },
  };
}

/** As `rawListeners` gives it. */
export type Listener = (...args: unknown[]) => void;

/**
 * The same for an event of at least four values, by taking the place of `theirs`, which is Node's own listener: all other events
 * cost what they did. Who listens later hears of what is taken, too. Where it is not the only listener this is `interceptEmit`.
 */
export function interceptListener(
  emitter: EventEmitter,
  event: string,
  theirs: Listener | undefined,
  handler: Handler,
): Interception {
  const [only, ...others] = emitter.rawListeners(event);
  if (theirs === undefined || only !== theirs || others.length > 0) return interceptEmit(emitter, event, handler);
  const ours: Listener = (a, b, c, d, ...more) => handler(more.length === 0 ? [a, b, c, d] : [a, b, c, d, ...more]);
  replaceListener(emitter, event, theirs, ours);
  return {
    pass(args) {
      if (args.length === 4) theirs.call(emitter, args[0], args[1], args[2], args[3]);
      else theirs.apply(emitter, [...args]);
      return true;
    },
    restore: () => replaceListener(emitter, event, ours, theirs),
  };
}

/** In its place among the others; nothing where somebody has removed it. */
function replaceListener(emitter: EventEmitter, event: string, from: Listener, to: Listener): void {
  const all = emitter.rawListeners(event) as Listener[];
  if (!all.includes(from)) return;
  emitter.removeAllListeners(event);
  for (const one of all) emitter.on(event, one === from ? to : one);
}

/** Whether the event is taken already. */
export function isIntercepted(emitter: EventEmitter, event: string): boolean {
  const taken = (emitter as unknown as Intercepted)[takenKey];
  return taken !== undefined && find(taken, event) !== null;
}

function takeNothing(emitter: EventEmitter): Taken {
  const taken: Taken = {
    events: new LinkedList(),
    // What it needs is at hand without a look at the emitter: those who share a function have too many shapes for V8.
    emit(this: EventEmitter, event, a, b, c, d, ...more) {
      const count = arguments.length - 1;
      const one = find(taken, event);
      if (one !== null) {
        one.handler(gather(count, a, b, c, d, more));
        return true;
      }
      // A copy of the emitter, as test runners make of `process`, has listeners of its own.
      const emit = taken.earlier ?? taken.prototype.emit;
      if (count === 1) return emit.call(this, event, a);
      if (count === 2) return emit.call(this, event, a, b);
      if (count === 4) return emit.call(this, event, a, b, c, d);
      return passOn(taken, this, event, gather(count, a, b, c, d, more));
    },
    earlier: null,
    prototype: Object.getPrototypeOf(emitter) as Taken["prototype"],
  };
  return taken;
}

function find(taken: Taken, event: string | symbol): TakenEvent | null {
  let one = taken.events.oldest;
  while (one !== null && one.event !== event) one = one.newer;
  return one;
}

/** What an event brings. Connections have one value, requests two and streams four. */
function gather(count: number, a: unknown, b: unknown, c: unknown, d: unknown, more: readonly unknown[]): unknown[] {
  if (count === 1) return [a];
  if (count === 2) return [a, b];
  return count === 4 ? [a, b, c, d] : [a, b, c, d, ...more].slice(0, Math.max(0, count));
}

/** Spreading them shows in what they cost. */
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
