/**
 * Why a form was not read. Both errors are in docs/errors.md.
 */
import { PortreeveError, describe } from "../../core/errors.ts";
import type { SafetyLimitName } from "../../limits/safety-limits.ts";

/** What a program answers: 400 for what is no form, 413 over a limit, 415 for a body that does not claim to be a form. */
export type FormDataStatus = 400 | 413 | 415;

/** The client sent no form, half a form, or more than a limit allows. `status` is what to answer. */
export class FormDataError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_FORM_DATA";
  readonly status: FormDataStatus;
  readonly limit: SafetyLimitName | null;
  readonly expected: string | number;
  readonly received: string | number;

  constructor(
    status: FormDataStatus,
    limit: SafetyLimitName | null,
    expected: string | number,
    received: string | number,
    options?: ErrorOptions,
  ) {
    const what = limit === null ? `expected ${expected}` : `safetyLimits.${limit}: expected at most ${expected}`;
    super(`${what}, got ${received}`, options);
    this.status = status;
    this.limit = limit;
    this.expected = expected;
    this.received = received;
  }
}

/** `@fastify/busboy` is not installed, or is a version that this package does not know. */
export class FormDataParserError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_FORM_DATA_PARSER";
}

/** The body is not what the grammar wants; what came is shortened, for it is the client's. */
export function malformed(expected: string, received: unknown): FormDataError {
  return new FormDataError(400, null, expected, typeof received === "string" ? describe(received) : String(received));
}

/** The body ended, or the client went away, too early. */
export function truncated(received: string, cause?: unknown): FormDataError {
  return new FormDataError(400, null, "a whole form", received, cause === undefined ? undefined : { cause });
}
