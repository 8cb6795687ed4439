/**
 * The limits of one form: over one of them the form is refused, or where limits only observe, that is told and it is read on.
 */
import { warnOfFirstCut } from "../../limits/first-cut.ts";
import type { SafetyLimits } from "../../limits/safety-limits.ts";
import { FormDataError } from "./errors.ts";

export type FormLimitName =
  | "maxRequestBodyLength"
  | "maxFormDataFields"
  | "maxFormDataFieldLength"
  | "maxFormDataFiles"
  | "maxFormDataFileLength"
  | "maxFormDataParts"
  | "maxFormDataHeaderLength";

/** Tells that a limit is broken, and that the form is read on: limits only observe. */
export type Spare = (limit: FormLimitName) => void;

export class FormLimits {
  readonly values: SafetyLimits;
  readonly #spare: Spare | null;

  /** @param spare null where limits are in force */
  constructor(values: SafetyLimits, spare: Spare | null) {
    this.values = values;
    this.#spare = spare;
  }

  /** Whether a form that is over one of them is refused. */
  get areInForce(): boolean {
    return this.#spare === null;
  }

  /** @throws FormDataError with 413 when more was received than the limit allows. */
  check(limit: FormLimitName, received: number): void {
    const most = this.values[limit];
    if (received <= most) return;
    if (this.#spare !== null) {
      this.#spare(limit);
      return;
    }
    warnOfFirstCut(limit, this.values);
    throw new FormDataError(413, limit, most, received);
  }
}
