/**
 * The live connections of several managers as one collection.
 */
import type { Connection } from "../connection/connection.ts";
import { phases } from "../connection/phase.ts";
import type { Phase } from "../connection/phase.ts";
import type { Connections } from "../connection/registry.ts";

export class ConnectionGroup implements Connections {
  readonly #members: readonly Connections[];

  constructor(members: readonly Connections[]) {
    this.#members = members;
  }

  get size(): number {
    return this.#members.reduce((sum, { size }) => sum + size, 0);
  }

  *[Symbol.iterator](): IterableIterator<Connection> {
    for (const member of this.#members) yield* member;
  }

  find(id: number): Connection | undefined {
    for (const member of this.#members) {
      const found = member.find(id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  countByPhase(): Record<Phase, number> {
    const counts = this.#members.map((member) => member.countByPhase());
    const sum = (phase: Phase): number => counts.reduce((total, count) => total + count[phase], 0);
    return Object.fromEntries(phases.map((phase) => [phase, sum(phase)])) as Record<Phase, number>;
  }
}
