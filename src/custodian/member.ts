/**
 * What hangs on a custodian, linked from newest to oldest: resources, and child custodians.
 */
import { FinalizerTimeoutError } from "../core/errors.ts";
import { isThenable } from "../core/report.ts";
import type { Custodian } from "./custodian.ts";
import type { ResourceKind } from "./resources.ts";

export abstract class Member {
  /** Whose list it is in; null once it has ended or was given up. @internal */
  owner: Custodian | null = null;
  /** @internal */
  older: Member | null = null;
  /** @internal */
  newer: Member | null = null;
  /** Whether it was told to end. @internal */
  told = false;

  /** What `managedList` shows. @internal */
  abstract get shown(): unknown;
  /** Starts the end. @returns true when it has ended on return; else `owner.memberEnded` is called later. @internal */
  abstract end(reason: unknown): boolean;
  /** The finalizer timeout passed: ends it without its consent. @internal */
  abstract expire(timeout: number): void;
}

/** Whatever can be listened to; Node's emitters and message ports alike. */
interface Emitter {
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
}

/** A value, and how it is shut down. */
export class Resource extends Member {
  readonly value: unknown;
  readonly kind: ResourceKind;
  #listener: (() => void) | null = null;

  constructor(value: unknown, kind: ResourceKind) {
    super();
    this.value = value;
    this.kind = kind;
  }

  override get shown(): unknown {
    return this.value;
  }

  /** Listens for the end. The listener may be shared by resources whose emitter is its `this`. */
  watch(shared: () => void): void {
    const event = this.kind.closeEvent;
    if (event === undefined) return;
    this.#listener = this.kind.sharesListener === true ? shared : (): void => this.owner?.memberEnded(this);
    (this.value as Emitter).on(event, this.#listener);
  }

  unwatch(): void {
    if (this.#listener === null || this.kind.closeEvent === undefined) return;
    (this.value as Emitter).off(this.kind.closeEvent, this.#listener);
    this.#listener = null;
  }

  override end(reason: unknown): boolean {
    const result = this.kind.shutDown(this.value, reason);
    if (isThenable(result)) {
      this.unwatch();
      result.then(
        () => this.owner?.memberEnded(this),
        (error: unknown) => this.owner?.memberFailed(this, error),
      );
      return false;
    }
    return this.kind.closeEvent === undefined || this.kind.isClosed?.(this.value) === true;
  }

  override expire(timeout: number): void {
    if (this.kind.isClosed?.(this.value) === true) return;
    this.owner?.fail(new FinalizerTimeoutError(`a ${this.kind.name}`, timeout));
    this.kind.force?.(this.value);
  }
}
