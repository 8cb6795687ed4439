/**
 * Taking an event of a server before its own listeners hear it, by an `emit` of its own on that one server. The
 * prototype's `emit` is looked up at each call, because others may have replaced it meanwhile. What an event brings stays in
 * the one array that it came in: some are taken for each request.
 */
import type { EventEmitter } from "node:events";

type Handler = (args: readonly unknown[]) => void;
type Emit = (this: EventEmitter, event: string | symbol, ...args: unknown[]) => boolean;

/** A taken event: how to pass it on to the server's own listeners, and how to give it back for good. */
export interface Interception {
  pass(args: readonly unknown[]): boolean;
  restore(): void;
}

const earlierKey = Symbol.for("portreeve.intercepted.earlier.v1");
const handlersKey = Symbol.for("portreeve.intercepted.v1");

interface Intercepted {
  emit?: Emit;
  /** An `emit` of its own that the emitter had before. */
  [earlierKey]?: Emit | undefined;
  [handlersKey]?: Map<string | symbol, Handler>;
}

export function interceptEmit(emitter: EventEmitter, event: string, handler: Handler): Interception {
  const own = emitter as unknown as Intercepted;
  const handlers = (own[handlersKey] ??= new Map());
  if (handlers.size === 0 && own.emit !== emitIntercepted) {
    own[earlierKey] = Object.hasOwn(own, "emit") ? own.emit : undefined;
    own.emit = emitIntercepted;
  }
  handlers.set(event, handler);
  return {
    pass: (args) => passOn(earlierEmit(emitter), emitter, event, args),
    restore() {
      if (own[handlersKey] !== handlers) return;
      handlers.delete(event);
      // Where somebody has wrapped ours meanwhile, it stays below, and passes everything on.
      if (handlers.size > 0 || own.emit !== emitIntercepted) return;
      const earlier = own[earlierKey];
      if (earlier === undefined) delete own.emit;
      else own.emit = earlier;
      delete own[earlierKey];
      delete own[handlersKey];
    },
  };
}

/** Whether the event is taken already. */
export function isIntercepted(emitter: EventEmitter, event: string): boolean {
  return (emitter as unknown as Intercepted)[handlersKey]?.has(event) === true;
}

/** One function for all servers and events. */
function emitIntercepted(this: EventEmitter, event: string | symbol, ...args: unknown[]): boolean {
  const handler = (this as Intercepted)[handlersKey]?.get(event);
  if (handler === undefined) return passOn(earlierEmit(this), this, event, args);
  handler(args);
  return true;
}

/** Connections have one value, requests two and streams four; spreading them shows in what they cost. */
function passOn(emit: Emit, emitter: EventEmitter, event: string | symbol, args: readonly unknown[]): boolean {
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

function earlierEmit(emitter: EventEmitter): Emit {
  return (emitter as Intercepted)[earlierKey] ?? (Object.getPrototypeOf(emitter) as { emit: Emit }).emit;
}
