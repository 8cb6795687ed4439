/**
 * What those hear who use something that has been shut down.
 */
import { CustodianShutDownError, describe } from "../core/errors.ts";

/** The error of using a custodian that was shut down for `reason`. */
export function shutDownError(reason: unknown, name?: string): CustodianShutDownError {
  const who = name === undefined ? "the custodian" : `the custodian "${name}"`;
  const why = reason instanceof Error ? reason.message : typeof reason === "string" ? reason : describe(reason);
  return new CustodianShutDownError(`${who} is shut down (${why})`, { cause: reason });
}

/** What an AbortSignal or a web stream ends with: always an error, because it is thrown at whoever waits. */
export function abortReason(reason: unknown, name?: string): Error {
  return reason instanceof Error ? reason : shutDownError(reason, name);
}
