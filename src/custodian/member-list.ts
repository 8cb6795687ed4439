/**
 * An ordered collection of members, newest first. Adding and removing are O(1), and so is finding a value: a short list
 * is looked through, and a long one gets an index.
 */
import { isResource } from "./member.ts";
import type { Member, Resource } from "./member.ts";

const mostLookedThrough = 16;

export class MemberList {
  newest: Member | null = null;
  #index: ValueIndex | null = null;
  #quiet: QuietResources | null = null;

  add(member: Member): void {
    member.list = this;
    member.older = this.newest;
    if (this.newest !== null) this.newest.newer = member;
    this.newest = member;
    if (!isResource(member)) return;
    this.#index?.add(member);
    if (member.isQuiet) (this.#quiet ??= new QuietResources()).add(member);
  }

  remove(member: Member): void {
    if (member.newer !== null) member.newer.older = member.older;
    else this.newest = member.older;
    if (member.older !== null) member.older.newer = member.newer;
    member.newer = null;
    member.older = null;
    member.list = null;
    if (!isResource(member)) return;
    this.#index?.remove(member, this);
    this.#quiet?.remove(member);
  }

  /** The newest resource with this value. */
  find(value: unknown): Resource | undefined {
    if (this.#index !== null) return this.#index.find(value);
    let looked = 0;
    for (let member = this.newest; member !== null; member = member.older) {
      if (isResource(member) && member.value === value) return member;
      if (++looked > mostLookedThrough) {
        this.#index = new ValueIndex(this);
        return this.#index.find(value);
      }
    }
    return undefined;
  }

  oldestFirst(): Member[] {
    const members: Member[] = [];
    for (let member = this.newest; member !== null; member = member.older) members.push(member);
    return members.toReversed();
  }
}

/** From value to resource. */
class ValueIndex {
  readonly #newest = new Map<unknown, Resource>();
  /** Values that are in the list more than once; finding the next one of these costs a walk. */
  #repeated: Set<unknown> | null = null;

  constructor(list: MemberList) {
    for (const member of list.oldestFirst()) if (isResource(member)) this.add(member);
  }

  find(value: unknown): Resource | undefined {
    return this.#newest.get(value);
  }

  add(resource: Resource): void {
    if (this.#newest.has(resource.value)) (this.#repeated ??= new Set()).add(resource.value);
    this.#newest.set(resource.value, resource);
  }

  /** Call it when the resource has left the list. */
  remove(resource: Resource, list: MemberList): void {
    const { value } = resource;
    if (this.#newest.get(value) !== resource) return;
    this.#newest.delete(value);
    if (this.#repeated?.has(value) !== true) return;
    for (let member = list.newest; member !== null; member = member.older) {
      if (isResource(member) && member.value === value) {
        this.#newest.set(value, member);
        return;
      }
    }
    this.#repeated.delete(value);
  }
}

const fewestSwept = 64;

/** Resources that end without saying so: looked at whenever their number has doubled, so that they do not pile up. */
class QuietResources {
  readonly #resources: Set<Resource> = new Set();
  #sweepAt = fewestSwept;

  add(resource: Resource): void {
    this.#resources.add(resource);
    if (this.#resources.size < this.#sweepAt) return;
    for (const quiet of this.#resources) if (quiet.isClosed) quiet.leave();
    this.#sweepAt = Math.max(fewestSwept, 2 * this.#resources.size);
  }

  /** Call it when the resource has left the list. */
  remove(resource: Resource): void {
    // What was once a long list must not put off the next look for ever.
    if (this.#resources.delete(resource)) {
      this.#sweepAt = Math.max(fewestSwept, Math.min(this.#sweepAt, 2 * this.#resources.size));
    }
  }
}
