/**
 * A custodian owns what must end: resources, and other custodians. Shutting it down ends everything it owns, newest
 * first. Racket entries: `make-custodian`, `custodian-shutdown-all`, `custodian-managed-list`.
 *
 * Here are the verbs. What is owned is kept by `MemberList`; the end is carried out by `Shutdown`.
 */
import { ArgumentTypeError } from "../core/errors.ts";
import { checkFunction } from "../core/options.ts";
import { toError } from "../core/report.ts";
import type { Duration } from "../core/units.ts";
import type { Timer } from "../timers/timer.ts";
import { Charges } from "./charges.ts";
import { runUnder } from "./context.ts";
import { reportError } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { leakTracer } from "./leaks.ts";
import { Member, Resource, custodianBrand, isCustodian, isResource } from "./member.ts";
import { MemberList } from "./member-list.ts";
import { custodianKind, deferredKind, kindOf, timerKind } from "./resources.ts";
import type { ResourceKind } from "./resources.ts";
import { abortReason, shutDownError } from "./shut-down-error.ts";
import { Shutdown } from "./shutdown.ts";
import type { ShutdownReport } from "./shutdown.ts";

export type { Environment, ShutdownReport };

export class Custodian extends Member {
  /** For people. */
  readonly name: string | undefined;
  /** @internal */
  readonly environment: Environment;
  readonly #members: MemberList = new MemberList();
  #shutdown: Shutdown | null = null;
  #controller: AbortController | null = null;
  #charges: Charges | null = null;

  /** @internal */
  constructor(parent: Custodian | null, environment: Environment, name: string | undefined) {
    super(null);
    this.name = name;
    this.environment = environment;
    parent?.add(this);
    leakTracer()?.made(this);
  }

  /** The custodian that ends this one with itself; null for a root, and once this one has ended. */
  get parent(): Custodian | null {
    return this.owner;
  }

  /** Racket entry: `custodian-shut-down?`. True from the start of the shutdown. */
  get isShutDown(): boolean {
    return this.#shutdown !== null;
  }

  /** Whether anybody has given it something to own, or waits for its end. @internal */
  get isUsed(): boolean {
    return this.#members.newest !== null || this.#controller !== null || this.#charges !== null;
  }

  /** Aborts when the shutdown starts, before anything is told to end; made when first asked for. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#shutdown !== null) this.#controller.abort(abortReason(this.#shutdown.reason, this.name));
    }
    return this.#controller.signal;
  }

  /**
   * Owns `resource` from now on; how it will be shut down depends on its kind (docs/custodians.md has the table). One
   * that ends by itself leaves; one that has ended already is not taken. A custodian becomes a child. O(1).
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
    if (kind === custodianKind) this.take(resource as unknown as Custodian);
    else if (this.#members.find(resource) === undefined) this.manage(resource, kind);
    return resource;
  }

  /** Owns any value; `shutdown` ends it and may return a promise. */
  adopt<T>(value: T, shutdown: (value: T, reason: unknown) => unknown): T {
    checkFunction(shutdown, "shutdown");
    this.manage(value, { name: "adopted value", shutDown: shutdown });
    return value;
  }

  /** Runs `fn` at the shutdown; it may return a promise. */
  defer(fn: (reason: unknown) => unknown): void {
    checkFunction(fn, "fn");
    this.manage(fn, deferredKind);
  }

  /** Runs `fn` once, `ms` from now, unless the shutdown comes first. */
  setTimeout(fn: () => unknown, ms: Duration): Timer {
    checkFunction(fn, "fn");
    const timer: Timer = this.environment.timers.start(ms, () => {
      owned?.leave();
      return fn();
    });
    const owned = this.manage(timer, timerKind);
    return timer;
  }

  /**
   * Gives a resource up without ending it; a child becomes a root.
   * @returns whether it was owned. What has been told to end already is not given up any more.
   */
  release(resource: unknown): boolean {
    const found = isCustodian(resource) ? this.ownChild(resource) : this.#members.find(resource);
    if (found === undefined) return false;
    this.memberEnded(found);
    return true;
  }

  /** Hands everything owned, children included, to another custodian, in order. This one stays open, and empty. */
  moveTo(custodian: Custodian): void {
    checkCustodian(custodian, "custodian");
    this.checkNotBelow(custodian, "custodian");
    custodian.checkOpen();
    for (const member of this.#members.oldestFirst()) {
      if (isCustodian(member) && member.isShutDown) continue;
      this.#members.remove(member);
      custodian.add(member);
      leakTracer()?.changed(this, false);
    }
  }

  /** Makes a custodian that ends with this one. */
  child(name?: string): Custodian {
    return new Custodian(this, this.environment, name);
  }

  /** Runs `fn` with this as the current custodian, across awaits. */
  run<T>(fn: () => T): T {
    checkFunction(fn, "fn");
    const result = runUnder(this, fn);
    leakTracer()?.working(this, result);
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
    const managed: unknown[] = [];
    for (const member of this.#members.oldestFirst()) {
      if (!isResource(member)) {
        if ((member as Custodian).isShutDown) continue;
        managed.push(member);
      } else if (!(member.isQuiet && member.isClosed)) managed.push(member.value);
    }
    return managed;
  }

  /** The child custodians that are open, oldest first. */
  children(): Custodian[] {
    return this.managedList().filter(isCustodian);
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
    this.begin(reason)?.tell();
    // It has been begun by now.
    return (this.#shutdown as Shutdown).report;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdownAll("disposed").then(() => undefined);
  }

  /** Charges bytes that the program holds on behalf of this custodian; a negative number gives them back. See `custodianLimitMemory`. */
  charge(bytes: number): void {
    if (!Number.isSafeInteger(bytes)) throw new ArgumentTypeError("bytes", "a whole number of bytes", bytes);
    this.charges.add(bytes);
    this.noteCharge();
  }

  /** The bytes charged to this custodian itself. */
  get charged(): number {
    return this.#charges?.bytes ?? 0;
  }

  /** @internal */
  get charges(): Charges {
    return (this.#charges ??= new Charges());
  }

  /** Something was charged here or below. @internal */
  noteCharge(): void {
    this.tellCharged();
    for (let { owner } = this; owner !== null; owner = owner.owner) owner.tellCharged();
  }

  /** @internal */
  tellCharged(): void {
    this.#charges?.tellListeners();
  }

  /** Puts a value of a known kind under this custodian, unless it has ended already. @internal */
  manage(value: unknown, kind: ResourceKind): Resource | undefined {
    const resource = new Resource(value, kind);
    if (this.#shutdown !== null) {
      if (!resource.isClosed) this.#shutdown.endLate(resource);
      throw shutDownError(this.#shutdown.reason, this.name);
    }
    if (resource.isClosed) return undefined;
    resource.watch();
    this.add(resource);
    return resource;
  }

  /** @internal */
  add(member: Member): void {
    this.checkOpen();
    member.owner = this;
    this.#members.add(member);
    leakTracer()?.changed(this, true);
  }

  /** @throws CustodianShutDownError when it is not. @internal */
  checkOpen(): void {
    if (this.#shutdown !== null) throw shutDownError(this.#shutdown.reason, this.name);
  }

  /** Those who were told to end, and are not there yet. @internal */
  slowMembers(): readonly Member[] {
    return this.#shutdown?.slowMembers ?? [];
  }

  /** A member ended, or is given up. @internal */
  memberEnded(member: Member): void {
    this.forget(member)?.finishIfDone();
  }

  /** It is no member any more. @returns the shutdown that may be done now @internal */
  forget(member: Member): Shutdown | null {
    if (member.owner !== this) return null;
    member.list?.remove(member);
    member.owner = null;
    if (isResource(member)) member.unwatch();
    leakTracer()?.changed(this, false);
    return this.#shutdown;
  }

  /** @internal */
  memberFailed(member: Member, error: unknown): void {
    this.fail(toError(error));
    this.memberEnded(member);
  }

  /** Gathers an error of a closer, here and in every shutdown above that is under way, and reports it once. @internal */
  fail(error: Error): void {
    this.gather(error);
    reportError(error, this);
  }

  /** @internal */
  gather(error: Error): void {
    if (!this.gatherOwn(error)) return;
    let { owner } = this;
    while (owner?.gatherOwn(error) === true) ({ owner } = owner);
  }

  /** @returns whether its shutdown has begun @internal */
  gatherOwn(error: Error): boolean {
    this.#shutdown?.gather(error);
    return this.#shutdown !== null;
  }

  /** Begins its shutdown, which is yet to tell its members. @returns null where it has begun before @internal */
  begin(reason: unknown): Shutdown | null {
    if (this.#shutdown !== null) return null;
    this.#shutdown = new Shutdown(this, this.#members, reason);
    this.#controller?.abort(abortReason(reason, this.name));
    return this.#shutdown;
  }

  /** Makes another custodian a child. */
  private take(custodian: Custodian): void {
    if (custodian.owner === this || custodian.isShutDown) return;
    custodian.checkNotBelow(this, "resource");
    if (this.#shutdown !== null) {
      void custodian.shutdownAll(this.#shutdown.reason);
      throw shutDownError(this.#shutdown.reason, this.name);
    }
    custodian.owner?.memberEnded(custodian);
    this.add(custodian);
  }

  private ownChild(custodian: Custodian): Custodian | undefined {
    return custodian.owner === this && !custodian.isShutDown ? custodian : undefined;
  }

  private checkNotBelow(other: Custodian, path: string): void {
    if (other === this || other.isBelow(this)) {
      throw new ArgumentTypeError(path, "a custodian that is neither this one nor below it", other);
    }
  }
}

Object.defineProperty(Custodian.prototype, custodianBrand, { value: true });

/** @throws ArgumentTypeError when the value is no custodian. */
export function checkCustodian(value: unknown, path: string): Custodian {
  if (!isCustodian(value)) throw new ArgumentTypeError(path, "a custodian", value);
  return value;
}
