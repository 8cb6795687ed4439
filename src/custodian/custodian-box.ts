/**
 * A box whose content is dropped when its custodian is shut down. Racket entries: `make-custodian-box`,
 * `custodian-box-value`.
 */
import { checkCustodian } from "./custodian.ts";
import type { Custodian } from "./custodian.ts";

/** Holds a value for as long as its custodian is open; then it holds null. */
export class CustodianBox<T> {
  #value: T | null;

  /** @internal */
  constructor(custodian: Custodian, value: T) {
    this.#value = value;
    custodian.defer(() => {
      this.#value = null;
    });
  }

  /** Null once the custodian is shut down. */
  get value(): T | null {
    return this.#value;
  }
}

/** @throws CustodianShutDownError when the custodian is shut down already. */
export function makeCustodianBox<T>(custodian: Custodian, value: T): CustodianBox<T> {
  return new CustodianBox(checkCustodian(custodian, "custodian"), value);
}
