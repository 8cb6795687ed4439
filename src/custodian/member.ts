/**
 * What hangs on a custodian: a resource, or another custodian. Members are linked into a list from newest to oldest.
 */
import { EventEmitter } from "node:events";
import { FinalizerTimeoutError } from "../core/errors.ts";
import { isThenable } from "../core/report.ts";
import type { Custodian } from "./custodian.ts";
import type { MemberList } from "./member-list.ts";
import type { ResourceKind } from "./resources.ts";

export abstract class Member {
  /** How it is shut down; null for a custodian, which knows that itself. @internal */
  readonly kind: ResourceKind | null;
  /** Whose it is; null once it has ended or was given up. @internal */
  owner: Custodian | null = null;
  /** The owner's list of what it owns, or its shutdown's of what takes its time. @internal */
  list: MemberList | null = null;
  /** @internal */
  older: Member | null = null;
  /** @internal */
  newer: Member | null = null;

  /** @internal */
  constructor(kind: ResourceKind | null) {
    this.kind = kind;
  }
}

/** What an emitter says when it is cut in the middle of something: it was we who cut it. */
const expectedWhenCut: ReadonlySet<unknown> = new Set([
  "ABORT_ERR",
  "ECONNRESET",
  "EPIPE",
  "ERR_HTTP2_STREAM_CANCEL",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/** Whatever can be listened to; Node's emitters and message ports alike. */
interface Emitter {
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
}

/**
 * A value, and how it is shut down. There is one for each socket, so its methods are `private` and not `#private`, which
 * would mark each instance at a cost in time and bytes.
 */
export class Resource extends Member {
  declare readonly kind: ResourceKind;
  readonly value: unknown;
  /** The listener of the close event, or what stops the kind's own watching. */
  #watcher: (() => void) | null = null;
  /** While `shutDown` runs a close event is only noted, because a promise of `shutDown` knows better. */
  #isTold = false;
  #closedMeanwhile = false;

  constructor(value: unknown, kind: ResourceKind) {
    super(kind);
    this.value = value;
  }

  /** Whether it may end without our hearing of it, so that one has to look. */
  get isQuiet(): boolean {
    const { kind } = this;
    return kind.closeEvent === undefined && kind.watch === undefined && kind.isClosed !== undefined;
  }

  get isClosed(): boolean {
    return this.kind.isClosed?.(this.value) === true;
  }

  /** It ended: it leaves its custodian. */
  leave(): void {
    this.owner?.memberEnded(this);
  }

  /** Listens for the end. */
  watch(): void {
    const { closeEvent } = this.kind;
    if (closeEvent !== undefined) {
      this.#watcher = (): void => this.hasClosed();
      (this.value as Emitter).on(closeEvent, this.#watcher);
    } else if (this.kind.watch !== undefined) {
      this.#watcher = this.kind.watch(this.value, () => this.hasClosed());
    }
  }

  unwatch(): void {
    const watcher = this.#watcher;
    if (watcher === null) return;
    this.#watcher = null;
    const { closeEvent } = this.kind;
    if (closeEvent === undefined) watcher();
    else (this.value as Emitter).off(closeEvent, watcher);
  }

  /** Starts the end. @returns true when it has ended on return; else `owner.memberEnded` is called later. */
  end(reason: unknown): boolean {
    if (this.kind.mayFail === true) this.hearErrors();
    this.#isTold = true;
    const result = this.kind.shutDown(this.value, reason);
    this.#isTold = false;
    if (isThenable(result)) {
      this.unwatch();
      result.then(
        () => this.leave(),
        (error: unknown) => this.owner?.memberFailed(this, error),
      );
      return false;
    }
    const { closeEvent, endsAtOnce } = this.kind;
    return this.#closedMeanwhile || closeEvent === undefined || endsAtOnce === true || this.isClosed;
  }

  /** The finalizer timeout passed: ends it without its consent. */
  expire(timeout: number): void {
    if (this.isClosed) return;
    this.owner?.fail(new FinalizerTimeoutError(`the ${this.kind.name}`, timeout));
    this.kind.force?.(this.value);
  }

  private hasClosed(): void {
    if (this.#isTold) {
      this.#closedMeanwhile = true;
      return;
    }
    // An event that will not come again may keep its listener: taking it off costs more than all else that is done here.
    if (this.kind.closeEvent !== undefined && this.kind.mayReopen !== true) this.#watcher = null;
    this.leave();
  }

  /** An 'error' that nobody listens for ends the process. While we close something, it is an error of the shutdown. */
  private hearErrors(): void {
    if (!(this.value instanceof EventEmitter) || this.value.listenerCount("error") > 0) return;
    this.value.on("error", (error: NodeJS.ErrnoException) => {
      if (!expectedWhenCut.has(error.code)) this.owner?.fail(error);
    });
  }
}

/** Cheaper than `instanceof`, several times on the way of each resource. */
export function isResource(member: Member): member is Resource {
  return member.kind !== null;
}

/** Marks custodians for every copy of this package in the process. */
export const custodianBrand: unique symbol = Symbol.for("portreeve.custodian.v1");

/** Racket entry: `custodian?`. */
export function isCustodian(value: unknown): value is Custodian {
  return typeof value === "object" && value !== null && Reflect.get(value, custodianBrand) === true;
}
