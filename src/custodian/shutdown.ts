/**
 * One shutdown of one custodian: every member is told to end, newest first, and those that take their time are waited
 * for.
 *
 *     telling --all have been told--> waiting --all have ended, or the finalizer timeout--> done
 */
import { defineChannel } from "../core/channels.ts";
import { toError } from "../core/report.ts";
import type { Custodian } from "./custodian.ts";
import type { Bounded } from "./finalizers.ts";
import { leakTracer } from "./leaks.ts";
import type { Member, Resource } from "./member.ts";
import { MemberList } from "./member-list.ts";

/** What a shutdown came to: the errors of closers, of children too, in the order in which they came. */
export interface ShutdownReport {
  readonly errors: readonly Error[];
}

const shutDownChannel = defineChannel<{ custodian: Custodian; reason: unknown; errors: readonly Error[] }>(
  "portreeve.custodian.shutdown",
);

const noErrors: ShutdownReport = Object.freeze({ errors: Object.freeze([]) });
const alreadyDone: Promise<ShutdownReport> = Promise.resolve(noErrors);

type Settle = (report: ShutdownReport) => void;
let captured: Settle;
/** Hands out a promise's resolve function without a closure for each promise. */
const capture = (resolve: Settle): void => {
  captured = resolve;
};

export class Shutdown implements Bounded {
  deadline: number | null = null;
  earlier: Bounded | null = null;
  later: Bounded | null = null;
  readonly reason: unknown;
  readonly #custodian: Custodian;
  #state: "telling" | "waiting" | "done" = "telling";
  /** Told to end, and not there yet. */
  readonly #slow: MemberList = new MemberList();
  #errors: Error[] | null = null;
  #report: Promise<ShutdownReport> | null = null;
  #settle: Settle | null = null;
  #isBounded = false;

  constructor(custodian: Custodian, reason: unknown) {
    this.#custodian = custodian;
    this.reason = reason;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Settles when it is done; never rejects. */
  get report(): Promise<ShutdownReport> {
    if (this.#report === null) {
      if (this.isDone) return this.#errors === null ? alreadyDone : Promise.resolve(this.outcome());
      this.#report = new Promise(capture);
      this.#settle = captured;
    }
    return this.#report;
  }

  /** Tells everything in the list to end. A closer may take others out of it; it is over when the list is empty. */
  tell(members: MemberList): void {
    for (let member = members.newest; member !== null; member = members.newest) {
      members.remove(member);
      this.endMember(member);
    }
    this.#state = "waiting";
    this.finishIfDone();
    if (this.isDone || this.endsWithAbove()) return;
    this.bound();
  }

  /** Ends what came too late to be owned. A shutdown that is still under way waits for it. */
  endLate(resource: Resource): void {
    const custodian = this.#custodian;
    resource.owner = custodian;
    leakTracer()?.changed(custodian, true);
    resource.watch();
    this.endMember(resource);
    if (this.isDone && this.#slow.newest !== null && !this.#isBounded) this.bound();
  }

  /** Call it when a member has ended. */
  finishIfDone(): void {
    if (this.#state === "telling" || this.#slow.newest !== null) return;
    if (this.#isBounded) this.#custodian.environment.finalizers.remove(this);
    this.#isBounded = false;
    // Of what came late nobody is told.
    if (this.isDone) return;
    this.#state = "done";
    if (shutDownChannel.hasSubscribers) {
      shutDownChannel.publish({ custodian: this.#custodian, reason: this.reason, ...this.outcome() });
    }
    this.#settle?.(this.outcome());
    leakTracer()?.closed(this.#custodian);
    this.#custodian.owner?.memberEnded(this.#custodian);
  }

  /** The finalizer timeout passed: whoever is still at it is ended without consent, and not waited for. */
  expire(timeout: number): void {
    // In the order in which they were told.
    for (const member of this.#slow.oldestFirst()) {
      if (member.list !== this.#slow) continue;
      member.expire(timeout);
      this.#custodian.memberEnded(member);
    }
  }

  gather(error: Error): void {
    if (!this.isDone) (this.#errors ??= []).push(error);
  }

  /** From now on what is still there has the finalizer timeout. */
  private bound(): void {
    this.deadline = null;
    this.#isBounded = true;
    this.#custodian.environment.finalizers.add(this);
  }

  private endMember(member: Member): void {
    this.#slow.add(member);
    try {
      if (!member.end(this.reason)) return;
    } catch (error) {
      this.#custodian.fail(toError(error));
    }
    this.#custodian.memberEnded(member);
  }

  /** Whether the shutdown that this one is part of will expire it, no later than it would expire by itself. */
  private endsWithAbove(): boolean {
    const { owner, environment } = this.#custodian;
    return owner?.isShutDown === true && owner.environment.finalizerTimeout <= environment.finalizerTimeout;
  }

  private outcome(): ShutdownReport {
    return this.#errors === null ? noErrors : { errors: this.#errors };
  }
}
