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

/** Whether `to` may follow `from`. A switch rather than a table: every phase of every request is looked up. */
function follows(from: Phase, to: Phase): boolean {
  switch (from) {
    case "handshaking":
      return to === "idle" || to === "draining";
    case "idle":
      // To handling at once: a request that came whole.
      return to === "handling" || to === "reading" || to === "handshaking" || to === "upgraded" || to === "draining";
    case "reading":
      return to === "handling" || to === "idle" || to === "upgraded" || to === "draining";
    case "handling":
      return to === "idle" || to === "sending" || to === "upgraded" || to === "draining";
    case "sending":
      return to === "idle" || to === "handling" || to === "reading" || to === "upgraded" || to === "draining";
    case "upgraded":
      return to === "draining";
    case "draining":
      return to === "closed";
    default:
      // Nothing follows `closed`.
      return false;
  }
}

/** @throws IllegalPhaseError when `to` does not follow `from`. */
export function checkMove(from: Phase, to: Phase): void {
  if (!follows(from, to)) throw new IllegalPhaseError(`a connection cannot go from ${from} to ${to}`);
}
