/**
 * Taking an event of a server before its own listeners hear it, by an `emit` of its own on that one server. The
 * prototype's `emit` is looked up at each call, because others may have replaced it meanwhile.
 */
import type { EventEmitter } from "node:events";

type Handler = (...args: unknown[]) => void;
type Emit = (this: EventEmitter, event: string | symbol, ...args: unknown[]) => boolean;

/** A taken event: how to pass it on to the server's own listeners, and how to give it back for good. */
export interface Interception {
  pass(...args: unknown[]): boolean;
  restore(): void;
}

const handlersKey = Symbol.for("portreeve.intercepted.v1");

interface Intercepted {
  emit?: unknown;
  [handlersKey]?: Map<string | symbol, Handler>;
}

export function interceptEmit(emitter: EventEmitter, event: string, handler: Handler): Interception {
  const own = emitter as unknown as Intercepted;
  const handlers = (own[handlersKey] ??= new Map());
  if (handlers.size === 0) own.emit = emitIntercepted;
  handlers.set(event, handler);
  return {
    pass: (...args) => prototypeEmit(emitter).call(emitter, event, ...args),
    restore() {
      handlers.delete(event);
      if (handlers.size === 0) delete own.emit;
    },
  };
}

/** One function for all servers and events. */
function emitIntercepted(this: EventEmitter, event: string | symbol, ...args: unknown[]): boolean {
  const handler = (this as Intercepted)[handlersKey]?.get(event);
  if (handler === undefined) return prototypeEmit(this).call(this, event, ...args);
  handler(...args);
  return true;
}

function prototypeEmit(emitter: EventEmitter): Emit {
  return (Object.getPrototypeOf(emitter) as { emit: Emit }).emit;
}
