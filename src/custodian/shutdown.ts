/**
 * One shutdown of one custodian: every member is told to end, newest first, and those that take their time are waited
 * for.
 *
 *     telling --all have been told--> waiting --all have ended, or the finalizer timeout--> done
 *
 * Trees may be very deep. So nothing here goes down or up by calls within calls: the shutdown at the top tells everything
 * below it, and an end that reaches upwards does so in a loop.
 */
import { defineChannel } from "../core/channels.ts";
import { toError } from "../core/report.ts";
import type { Custodian } from "./custodian.ts";
import type { Bounded } from "./finalizers.ts";
import { leakTracer } from "./leaks.ts";
import { isResource } from "./member.ts";
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
  /** Those that are yet to be told, while it is telling. */
  private readonly untold: MemberList;
  /** Which is telling, too, and goes on when all here have been told. */
  private above: Shutdown | null = null;
  #state: "telling" | "waiting" | "done" = "telling";
  /** Told to end, and not there yet. */
  readonly #slow: MemberList = new MemberList();
  #errors: Error[] | null = null;
  #report: Promise<ShutdownReport> | null = null;
  #settle: Settle | null = null;
  #isBounded = false;

  constructor(custodian: Custodian, members: MemberList, reason: unknown) {
    this.#custodian = custodian;
    this.untold = members;
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

  /** Tells everything to end, here and below. A closer may take others out; it is over when nobody is left to be told. */
  tell(): void {
    let telling = this.tellDown();
    while (telling !== null) telling = telling.tellDown();
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

  /** Call it when a member has ended. What is above may be done with it. */
  finishIfDone(): void {
    let shutdown: Shutdown | null = this.finish();
    while (shutdown !== null) shutdown = shutdown.finish();
  }

  /** The finalizer timeout passed: whoever is still at it is ended without consent, and not waited for. */
  expire(timeout: number): void {
    // In the order in which they were told. A custodian leaves when all below it were ended; who came meanwhile is not waited for.
    const left = this.#slow.oldestFirst().toReversed();
    const seen: Set<Member> = new Set();
    for (let member = left.pop(); member !== undefined; member = left.pop()) {
      const { owner } = member;
      if (owner === null) continue;
      if (!isResource(member) && !seen.has(member)) {
        seen.add(member);
        left.push(member);
        // One by one: there may be more than a call takes.
        for (const one of (member as Custodian).slowMembers().toReversed()) left.push(one);
        continue;
      }
      if (isResource(member)) member.expire(timeout);
      owner.memberEnded(member);
    }
  }

  /** Those who were told to end, and are not there yet, in the order in which they were told. */
  get slowMembers(): Member[] {
    return this.#slow.oldestFirst();
  }

  gather(error: Error): void {
    if (!this.isDone) (this.#errors ??= []).push(error);
  }

  /** @returns the shutdown to go on with: that of a custodian below, which is told next, or the one above, when all here are told */
  private tellDown(): Shutdown | null {
    for (let member = this.untold.newest; member !== null; member = this.untold.newest) {
      this.untold.remove(member);
      if (isResource(member)) {
        this.endMember(member);
        continue;
      }
      const below = this.beginMember(member as Custodian);
      if (below === null) continue;
      below.above = this;
      return below;
    }
    this.#state = "waiting";
    try {
      this.finishIfDone();
      if (!this.isDone && !this.endsWithAbove()) this.bound();
    } catch (error) {
      this.#custodian.fail(toError(error));
    }
    const { above } = this;
    // Whoever keeps this custodian is to keep none above it.
    this.above = null;
    return above;
  }

  /** @returns the shutdown above, which may be done now */
  private finish(): Shutdown | null {
    if (this.#state === "telling" || this.#slow.newest !== null) return null;
    const custodian = this.#custodian;
    if (this.#isBounded) custodian.environment.finalizers.remove(this);
    this.#isBounded = false;
    // Of what came late nobody is told.
    if (this.isDone) return null;
    this.#state = "done";
    if (shutDownChannel.hasSubscribers) {
      shutDownChannel.publish({ custodian, reason: this.reason, ...this.outcome() });
    }
    this.#settle?.(this.outcome());
    leakTracer()?.closed(custodian);
    return custodian.owner?.forget(custodian) ?? null;
  }

  /** From now on what is still there has the finalizer timeout. */
  private bound(): void {
    this.deadline = null;
    this.#isBounded = true;
    this.#custodian.environment.finalizers.add(this);
  }

  private endMember(resource: Resource): void {
    this.#slow.add(resource);
    try {
      if (!resource.end(this.reason)) return;
    } catch (error) {
      this.#custodian.fail(toError(error));
    }
    this.#custodian.memberEnded(resource);
  }

  /** @returns the shutdown of a custodian below, which is yet to tell its own; null where that has begun before, or cannot */
  private beginMember(custodian: Custodian): Shutdown | null {
    this.#slow.add(custodian);
    try {
      return custodian.begin(this.reason);
    } catch (error) {
      this.#custodian.fail(toError(error));
      this.#custodian.memberEnded(custodian);
      return null;
    }
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
