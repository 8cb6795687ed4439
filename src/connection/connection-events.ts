/**
 * The news of a connection, for whoever subscribes to the channels of diagnostics_channel: docs/events.md.
 */
import { defineChannel } from "../core/channels.ts";
import type { CloseReason } from "./close-reason.ts";
import type { Connection } from "./connection.ts";
import type { Phase } from "./phase.ts";

const opened = defineChannel<{ connection: Connection }>("portreeve.connection.opened");
const phase = defineChannel<{ connection: Connection; from: Phase; to: Phase }>("portreeve.connection.phase");
const closed = defineChannel<{ connection: Connection; reason: CloseReason; phase: Phase }>(
  "portreeve.connection.closed",
);

export function tellOpened(connection: Connection): void {
  if (opened.hasSubscribers) opened.publish({ connection });
}

export function tellPhase(connection: Connection, from: Phase, to: Phase): void {
  if (phase.hasSubscribers) phase.publish({ connection, from, to });
}

/** @param last the phase in which its end came */
export function tellClosed(connection: Connection, reason: CloseReason, last: Phase): void {
  if (closed.hasSubscribers) closed.publish({ connection, reason, phase: last });
}
