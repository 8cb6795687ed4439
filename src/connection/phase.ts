/**
 * The phase of a connection: one field of one union, with the diagram above it.
 *
 *     handshaking ──► idle ◄──────────────────────┐
 *                      │ first byte of a request   │ answered, and kept alive
 *                      ▼                           │
 *                   reading ──► handling ──► sending
 *                      │            │            │
 *                      └────────────┴────────────┴──► upgraded   (another protocol takes over)
 *
 *     any of them ──► draining ──► closed
 *
 * `draining` means that the end has begun: the last bytes are leaving, for at most `lingerTimeout`.
 */
import { IllegalPhaseError } from "../core/errors.ts";

export type Phase = "handshaking" | "idle" | "reading" | "handling" | "sending" | "upgraded" | "draining" | "closed";

export const phases: readonly Phase[] = [
  "handshaking",
  "idle",
  "reading",
  "handling",
  "sending",
  "upgraded",
  "draining",
  "closed",
];

const next: Readonly<Record<Phase, readonly Phase[]>> = {
  handshaking: ["idle", "draining"],
  // To handling at once: a request that came whole.
  idle: ["handshaking", "reading", "handling", "upgraded", "draining"],
  reading: ["handling", "upgraded", "draining", "idle"],
  handling: ["sending", "idle", "upgraded", "draining"],
  sending: ["idle", "handling", "reading", "upgraded", "draining"],
  upgraded: ["draining"],
  draining: ["closed"],
  closed: [],
};

/** Every move that is allowed: it is looked up at each phase of each request. */
const moves: ReadonlyMap<Phase, ReadonlySet<Phase>> = new Map(phases.map((from) => [from, new Set(next[from])]));

/** @throws IllegalPhaseError when `to` does not follow `from`. */
export function checkMove(from: Phase, to: Phase): void {
  if (moves.get(from)?.has(to) !== true) throw new IllegalPhaseError(`a connection cannot go from ${from} to ${to}`);
}
