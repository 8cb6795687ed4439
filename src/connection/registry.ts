/**
 * The connections that live, oldest first. Strong, unlike Racket's weak box: what lives can be seen.
 */
import { LinkedList } from "../core/linked-list.ts";
import type { Connection } from "./connection.ts";
import { phases } from "./phase.ts";
import type { Phase } from "./phase.ts";

/** Live connections, oldest first. */
export interface Connections extends Iterable<Connection> {
  readonly size: number;
  /** O(n). */
  find(id: number): Connection | undefined;
  /** How many connections are in each phase. O(n). */
  countByPhase(): Record<Phase, number>;
}

export class ConnectionRegistry implements Connections {
  readonly #live: LinkedList<Connection> = new LinkedList();

  get size(): number {
    return this.#live.size;
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#live[Symbol.iterator]();
  }

  find(id: number): Connection | undefined {
    for (const connection of this) if (connection.id === id) return connection;
    return undefined;
  }

  /** How many connections are in each phase. O(n). */
  countByPhase(): Record<Phase, number> {
    const counts = Object.fromEntries(phases.map((phase) => [phase, 0])) as Record<Phase, number>;
    for (const connection of this) counts[connection.phase]++;
    return counts;
  }

  /** @internal */
  add(connection: Connection): void {
    if (connection.phase !== "closed") this.#live.add(connection);
  }

  /** @internal */
  delete(connection: Connection): void {
    this.#live.remove(connection);
  }
}
