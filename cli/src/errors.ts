/**
 * Errors as one line and an exit code.
 */
import { ArgumentRangeError, ArgumentTypeError, LimitNotEnforcedError, ListenError } from "portreeve";

/** The command was used wrongly: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

const usageErrors = [UsageError, ArgumentTypeError, ArgumentRangeError, LimitNotEnforcedError, ListenError];

export interface Explanation {
  readonly line: string;
  readonly code: number;
}

/** What went wrong, in one line; 2 for what the user can mend on the command line, else 1. */
export function explain(error: unknown): Explanation {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.split("\n", 1)[0] ?? "";
  return { line, code: usageErrors.some((kind) => error instanceof kind) ? 2 : 1 };
}

let code = 0;

/** The exit code of a command that ended well, or by a signal. */
export const exitCodes = {
  set(value: number): void {
    code = value;
  },
  pending(): number {
    return code;
  },
};
