/**
 * Which requests of one HTTP/1.1 connection were read and not yet answered. Of several that came together (pipelining) the
 * oldest is being answered and the newest received.
 */
import type { ServerResponse } from "node:http";
import type { IncomingBody } from "../request-body.ts";

export abstract class Turns {
  /** Of the oldest: it is its turn. */
  protected abstract response: ServerResponse | null;
  /** Those behind it, oldest first. */
  protected abstract behind: ServerResponse[] | null;
  /** The body of the newest request, while it is being received. */
  protected abstract body: IncomingBody | null;
  /** What is at fault: the newest request, which will never have come whole, or what came behind it. */
  protected abstract fault: "newest" | "behind" | null;

  get waitsForClient(): boolean {
    return this.body?.isAwaited === true;
  }

  /** Oldest first. */
  protected get open(): readonly ServerResponse[] {
    return this.response === null ? [] : [this.response, ...(this.behind ?? [])];
  }

  /** How many have come whole. */
  protected get whole(): number {
    const open = (this.response === null ? 0 : 1) + (this.behind?.length ?? 0);
    return open - (this.fault === "newest" || this.body?.complete === false ? 1 : 0);
  }

  protected get newest(): ServerResponse | null {
    return this.behind?.at(-1) ?? this.response;
  }

  protected has(response: ServerResponse): boolean {
    return response === this.response || this.behind?.includes(response) === true;
  }

  /** The one in turn was answered. @returns the next, if any */
  protected nextTurn(): ServerResponse | null {
    const next = this.behind?.shift() ?? null;
    if (this.behind?.length === 0) this.behind = null;
    if (this.body?.complete === true) this.body = null;
    this.response = next;
    return next;
  }
}
