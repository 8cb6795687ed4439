/**
 * The connections that live, oldest first. Strong, unlike Racket's weak box: what lives can be seen.
 */
import type { Connection } from "./connection.ts";
import { phases } from "./phase.ts";
import type { Phase } from "./phase.ts";

/** Live connections, oldest first. */
export interface Connections extends Iterable<Connection> {
  readonly size: number;
  find(id: number): Connection | undefined;
  /** How many connections are in each phase. O(n). */
  countByPhase(): Record<Phase, number>;
}

export class ConnectionRegistry implements Connections {
  readonly #byId: Map<number, Connection> = new Map();

  get size(): number {
    return this.#byId.size;
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#byId.values();
  }

  find(id: number): Connection | undefined {
    return this.#byId.get(id);
  }

  /** How many connections are in each phase. O(n). */
  countByPhase(): Record<Phase, number> {
    const counts = Object.fromEntries(phases.map((phase) => [phase, 0])) as Record<Phase, number>;
    for (const connection of this) counts[connection.phase]++;
    return counts;
  }

  /** @internal */
  add(connection: Connection): void {
    if (connection.phase !== "closed") this.#byId.set(connection.id, connection);
  }

  /** @internal */
  delete(connection: Connection): void {
    this.#byId.delete(connection.id);
  }
}
