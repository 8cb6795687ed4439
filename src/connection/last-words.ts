/**
 * What a client is told when its connection ends. The output may be a stream of the program's own, whose failure must
 * leave nothing open.
 */
import { toError } from "../core/report.ts";
import type { CloseReason } from "./close-reason.ts";
import type { Connection } from "./connection.ts";

export function sayLastWords(connection: Connection, reason: CloseReason): void {
  if (connection.output.destroyed) return;
  try {
    connection.speaker?.lastWords?.(reason);
  } catch (error) {
    connection.manager.fail(toError(error), connection);
    // What cannot be written to is not waited for, either.
    connection.output.destroy();
  }
}
