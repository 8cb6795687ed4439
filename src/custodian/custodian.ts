/**
 * A custodian owns what must end: resources, and other custodians. Shutting it down ends everything it owns, newest
 * first. Racket entries: `make-custodian`, `custodian-shutdown-all`, `custodian-managed-list`.
 *
 *     open --shutdownAll--> closing --all closers settled, or the finalizer timeout--> closed
 */
import { defineChannel } from "../core/channels.ts";
import { ArgumentTypeError, CustodianShutDownError, describe } from "../core/errors.ts";
import { checkFunction } from "../core/options.ts";
import { isThenable, report, toError } from "../core/report.ts";
import type { Duration } from "../core/units.ts";
import type { TimerManager } from "../timers/timer-manager.ts";
import type { Timer } from "../timers/timer.ts";
import { runUnder } from "./context.ts";
import { leakTracer } from "./leaks.ts";
import { Member, Resource } from "./member.ts";
import { kindOf, timerKind } from "./resources.ts";
import type { ResourceKind } from "./resources.ts";

/** What a tree of custodians shares. */
export interface Environment {
  readonly timers: TimerManager;
  /** Milliseconds. */
  readonly finalizerTimeout: number;
  readonly onError: (error: Error, custodian: Custodian) => unknown;
}

/** What a shutdown came to: the errors of closers, of children too, in the order in which they came. */
export interface ShutdownReport {
  readonly errors: readonly Error[];
}

const shutDownChannel = defineChannel<{ custodian: Custodian; reason: unknown; errors: readonly Error[] }>(
  "portreeve.custodian.shutdown",
);
const errorChannel = defineChannel<{ custodian: Custodian; error: Error }>("portreeve.custodian.error");

const open = 0;
/** The shutdown is being told to the members. */
const telling = 1;
/** All were told; some have not ended yet. */
const closing = 2;
const closed = 3;

/** What only some custodians need, kept apart so that the others stay small. */
interface Extra {
  controller?: AbortController;
  /** From value to resource, once there are too many to look through. */
  index?: Map<unknown, Resource>;
  errors?: Error[];
  settled?: { promise: Promise<ShutdownReport>; resolve: (report: ShutdownReport) => void };
  finalizer?: Timer;
  /** Bytes that the program charged. */
  charged?: number;
  /** Run at each charge below this custodian. */
  onCharge?: Set<() => void>;
}

const mostLookedThrough = 16;
const noErrors: ShutdownReport = Object.freeze({ errors: Object.freeze([]) });
const alreadySettled: Promise<ShutdownReport> = Promise.resolve(noErrors);

/** Marks custodians for every copy of this package in the process. */
const brand = Symbol.for("portreeve.custodian.v1");

export class Custodian extends Member {
  /** For people. */
  readonly name: string | undefined;
  /** @internal */
  readonly environment: Environment;
  #state: number = open;
  #reason: unknown = undefined;
  #newest: Member | null = null;
  /** Handed to every stream's 'close'; made with the first stream. */
  #onClose: (() => void) | null = null;
  #extra: Extra | null = null;

  /** @internal */
  constructor(parent: Custodian | null, environment: Environment, name: string | undefined) {
    super();
    this.name = name;
    this.environment = environment;
    parent?.add(this);
    leakTracer()?.made(this);
  }

  /** The custodian that ends with this one's end, or null for a root. */
  get parent(): Custodian | null {
    return this.owner;
  }

  /** Racket entry: `custodian-shut-down?`. True from the start of the shutdown. */
  get isShutDown(): boolean {
    return this.#state !== open;
  }

  /** Aborts when the shutdown starts; made when first asked for. */
  get signal(): AbortSignal {
    const extra = this.#extras();
    if (extra.controller === undefined) {
      extra.controller = new AbortController();
      if (this.#state !== open) extra.controller.abort(this.#shutDownError());
    }
    return extra.controller.signal;
  }

  /**
   * Owns `resource` from now on; how it will be shut down depends on its kind (docs/custodians.md has the table). One
   * that ends by itself leaves; one that has ended already is not taken. O(1).
   * @throws ArgumentTypeError for a kind it does not know: use `adopt`.
   * @throws CustodianShutDownError after the shutdown; the resource is then closed at once.
   */
  use<T extends object>(resource: T): T {
    const kind = kindOf(resource);
    if (kind === undefined) {
      throw new ArgumentTypeError(
        "resource",
        "something that Node can close or that is disposable (for anything else: adopt(value, shutdown))",
        resource,
      );
    }
    if (this.#state !== open || this.#find(resource) === undefined) this.manage(resource, kind);
    return resource;
  }

  /** Owns any value; `shutdown` ends it and may return a promise. */
  adopt<T>(value: T, shutdown: (value: T, reason: unknown) => unknown): T {
    checkFunction(shutdown, "shutdown");
    this.manage(value, { name: "adopted value", shutDown: shutdown } as ResourceKind);
    return value;
  }

  /** Runs `fn` at the shutdown; it may return a promise. */
  defer(fn: (reason: unknown) => unknown): void {
    checkFunction(fn, "fn");
    this.manage(fn, deferredKind as ResourceKind);
  }

  /** Runs `fn` once, `ms` from now, unless the shutdown comes first. */
  setTimeout(fn: () => unknown, ms: Duration): Timer {
    checkFunction(fn, "fn");
    const timer: Timer = this.environment.timers.start(ms, () => {
      this.release(timer);
      return fn();
    });
    this.manage(timer, timerKind);
    return timer;
  }

  /** Gives a resource up without ending it. @returns whether it was owned. */
  release(resource: unknown): boolean {
    const found = this.#find(resource);
    if (found === undefined) return false;
    this.#remove(found);
    return true;
  }

  /** Hands everything owned, children included, to another custodian, in order. This one stays open, and empty. */
  moveTo(custodian: Custodian): void {
    checkCustodian(custodian, "custodian");
    if (custodian.isShutDown) throw custodian.#shutDownError();
    for (let above: Custodian | null = custodian; above !== null; above = above.owner) {
      if (above === this) throw new ArgumentTypeError("custodian", "a custodian that is not below this one", custodian);
    }
    for (const member of this.#members()) {
      this.#remove(member);
      custodian.add(member);
    }
  }

  /** Makes a custodian that ends with this one. */
  child(name?: string): Custodian {
    if (this.#state !== open) throw this.#shutDownError();
    return new Custodian(this, this.environment, name);
  }

  /** Runs `fn` with this as the current custodian, across awaits. */
  run<T>(fn: () => T): T {
    checkFunction(fn, "fn");
    const result = runUnder(this, fn);
    const tracer = leakTracer();
    if (tracer !== undefined) {
      const ended = (): void => tracer.workEnded(this.children());
      if (isThenable(result)) result.then(ended, ended);
      else ended();
    }
    return result;
  }

  /**
   * What this custodian manages itself, oldest first: values and child custodians. Racket entry: `custodian-managed-list`.
   * @param superCustodian proves the right to ask: it must be above this one. @default this custodian's parent
   */
  managedList(superCustodian?: Custodian): unknown[] {
    if (superCustodian !== undefined && !this.isBelow(superCustodian)) {
      throw new ArgumentTypeError("superCustodian", "a custodian above this one", superCustodian);
    }
    return this.#members().map((member) => member.shown);
  }

  /** The child custodians that are open, oldest first. */
  children(): Custodian[] {
    return this.#members().filter((member): member is Custodian => member instanceof Custodian);
  }

  /** Whether `other` is above this custodian in the tree. */
  isBelow(other: Custodian): boolean {
    for (let above = this.owner; above !== null; above = above.owner) if (above === other) return true;
    return false;
  }

  /**
   * Ends everything owned, newest first, and tells each the reason. What can be done synchronously is done on return;
   * the promise settles when every closer has, at the latest after the finalizer timeout, and never rejects. Errors are
   * reported and stop nothing. Calling it again does nothing. Racket entry: `custodian-shutdown-all`.
   */
  shutdownAll(reason: unknown = "shutdown"): Promise<ShutdownReport> {
    if (this.#state === open && !this.end(reason)) {
      const { timers, finalizerTimeout } = this.environment;
      this.#extras().finalizer = timers.start(finalizerTimeout, () => this.expire(finalizerTimeout));
    }
    if (this.#state !== closed) return this.#settlement().promise;
    const errors = this.#extra?.errors;
    return errors === undefined ? alreadySettled : Promise.resolve({ errors });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdownAll("disposed").then(() => undefined);
  }

  /** Charges bytes that the program holds on behalf of this custodian; a negative number gives them back. See `custodianLimitMemory`. */
  charge(bytes: number): void {
    if (!Number.isSafeInteger(bytes)) throw new ArgumentTypeError("bytes", "a whole number of bytes", bytes);
    const extra = this.#extras();
    extra.charged = Math.max(0, (extra.charged ?? 0) + bytes);
    // oxlint-disable-next-line typescript/no-this-alias -- walks up from here
    for (let at: Custodian | null = this; at !== null; at = at.owner) {
      for (const charged of at.#extra?.onCharge ?? []) charged();
    }
  }

  /** The bytes charged to this custodian itself. */
  get charged(): number {
    return this.#extra?.charged ?? 0;
  }

  /** Calls `listener` at each charge to this custodian or below. @returns how to stop that. @internal */
  watchCharges(listener: () => void): () => void {
    const listeners = (this.#extras().onCharge ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Puts a value of a known kind under this custodian. @internal */
  manage(value: unknown, kind: ResourceKind): void {
    if (this.#state !== open) {
      this.#closeAtOnce(value, kind);
      throw this.#shutDownError();
    }
    if (kind.isClosed?.(value) === true) return;
    this.add(new Resource(value, kind));
  }

  /** @internal */
  add(member: Member): void {
    member.owner = this;
    member.older = this.#newest;
    if (this.#newest !== null) this.#newest.newer = member;
    this.#newest = member;
    if (member instanceof Resource) {
      this.#onClose ??= this.#closeListener();
      member.watch(this.#onClose);
      this.#extra?.index?.set(member.value, member);
    }
    leakTracer()?.changed(this, true);
  }

  /** @internal */
  override get shown(): unknown {
    return this;
  }

  /** @internal */
  override end(reason: unknown): boolean {
    if (this.#state === open) this.#begin(reason);
    return this.#state === closed;
  }

  /** @internal */
  override expire(timeout: number): void {
    for (const member of this.#members(true)) {
      member.expire(timeout);
      this.#remove(member);
    }
    this.#finishIfDone();
  }

  /** @internal */
  memberEnded(member: Member): void {
    this.#remove(member);
    this.#finishIfDone();
  }

  /** @internal */
  memberFailed(member: Member, error: unknown): void {
    this.fail(toError(error));
    this.memberEnded(member);
  }

  /** Gathers an error of a closer, here and in every shutdown above that is under way, and reports it once. @internal */
  fail(error: Error): void {
    // oxlint-disable-next-line typescript/no-this-alias -- walks up from here
    for (let at: Custodian | null = this; at !== null && at.#state !== open; at = at.owner) {
      (at.#extras().errors ??= []).push(error);
    }
    if (errorChannel.hasSubscribers) errorChannel.publish({ custodian: this, error });
    report(this.environment.onError, error, this, "PortreeveCustodianWarning");
  }

  #begin(reason: unknown): void {
    this.#state = telling;
    this.#reason = reason;
    this.#extra?.controller?.abort(this.#shutDownError());
    for (let member = this.#newest; member !== null;) {
      const older: Member | null = member.older;
      if (!member.told) this.#tell(member, reason);
      // A closer may have taken other members out: then look again from the newest that is left.
      member = older === null || older.owner === this ? older : this.#newest;
    }
    this.#state = closing;
    this.#finishIfDone();
  }

  #tell(member: Member, reason: unknown): void {
    member.told = true;
    try {
      if (member.end(reason)) this.#remove(member);
    } catch (error) {
      this.fail(toError(error));
      this.#remove(member);
    }
  }

  #finishIfDone(): void {
    if (this.#state !== closing || this.#newest !== null) return;
    this.#state = closed;
    const errors = this.#extra?.errors;
    this.#extra?.finalizer?.cancel();
    if (shutDownChannel.hasSubscribers) {
      shutDownChannel.publish({ custodian: this, reason: this.#reason, errors: errors ?? [] });
    }
    this.#extra?.settled?.resolve(errors === undefined ? noErrors : { errors });
    leakTracer()?.closed(this);
    this.owner?.memberEnded(this);
  }

  #remove(member: Member): void {
    if (member.owner !== this) return;
    if (member.newer !== null) member.newer.older = member.older;
    else this.#newest = member.older;
    if (member.older !== null) member.older.newer = member.newer;
    member.newer = null;
    member.older = null;
    member.owner = null;
    if (member instanceof Resource) {
      member.unwatch();
      this.#extra?.index?.delete(member.value);
    }
    leakTracer()?.changed(this, false);
  }

  /** Oldest first; those that were told to end only when asked for. */
  #members(withTold = false): Member[] {
    const members: Member[] = [];
    for (let member = this.#newest; member !== null; member = member.older) {
      if (withTold || !(member.told || (member instanceof Custodian && member.isShutDown))) members.push(member);
    }
    return members.toReversed();
  }

  #find(value: unknown): Resource | undefined {
    if (this.#extra?.index !== undefined) return this.#extra.index.get(value);
    let looked = 0;
    for (let member = this.#newest; member !== null; member = member.older) {
      if (member instanceof Resource && member.value === value) return member;
      if (++looked > mostLookedThrough) return this.#indexed().get(value);
    }
    return undefined;
  }

  #indexed(): Map<unknown, Resource> {
    const index = new Map<unknown, Resource>();
    for (const member of this.#members(true)) if (member instanceof Resource) index.set(member.value, member);
    this.#extras().index = index;
    return index;
  }

  /** One listener for the streams of this custodian: an emitter is the `this` of its listeners. */
  #closeListener(): () => void {
    const ended = (emitter: unknown): void => {
      const resource = this.#find(emitter);
      if (resource !== undefined) this.memberEnded(resource);
    };
    return function onClose(this: unknown): void {
      ended(this);
    };
  }

  #closeAtOnce(value: unknown, kind: ResourceKind): void {
    try {
      const result = kind.shutDown(value, this.#reason);
      if (isThenable(result)) result.then(undefined, (error: unknown) => this.fail(toError(error)));
    } catch (error) {
      this.fail(toError(error));
    }
  }

  #shutDownError(): Error {
    if (this.#reason instanceof Error) return this.#reason;
    const name = this.name === undefined ? "the custodian" : `the custodian "${this.name}"`;
    return new CustodianShutDownError(`${name} is shut down (${describeReason(this.#reason)})`);
  }

  #extras(): Extra {
    return (this.#extra ??= {});
  }

  #settlement(): { promise: Promise<ShutdownReport>; resolve: (report: ShutdownReport) => void } {
    const extra = this.#extras();
    if (extra.settled === undefined) {
      let resolve: (report: ShutdownReport) => void = () => {};
      const promise = new Promise<ShutdownReport>((settle) => (resolve = settle));
      extra.settled = { promise, resolve };
    }
    return extra.settled;
  }
}

Object.defineProperty(Custodian.prototype, brand, { value: true });

const deferredKind: ResourceKind<(reason: unknown) => unknown> = {
  name: "deferred function",
  shutDown: (fn, reason) => fn(reason),
};

function describeReason(reason: unknown): string {
  return typeof reason === "string" ? reason : describe(reason);
}

/** Racket entry: `custodian?`. */
export function isCustodian(value: unknown): value is Custodian {
  return typeof value === "object" && value !== null && Reflect.get(value, brand) === true;
}

/** @throws ArgumentTypeError when the value is no custodian. */
export function checkCustodian(value: unknown, path: string): Custodian {
  if (!isCustodian(value)) throw new ArgumentTypeError(path, "a custodian", value);
  return value;
}
