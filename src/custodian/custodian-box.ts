/**
 * A box whose content is dropped when its custodian is shut down. Racket entries: `make-custodian-box`,
 * `custodian-box-value`.
 */
import { ArgumentTypeError } from "../core/errors.ts";
import { checkCustodian } from "./custodian.ts";
import type { Custodian } from "./custodian.ts";
import type { ResourceKind } from "./resources.ts";

/**
 * Holds a value for as long as its custodian is open; then it holds null. The custodian owns the box until then; give it
 * up with `custodian.release(box)`, and it keeps its value.
 */
export class CustodianBox<T> {
  #value: T | null;

  /** @internal */
  constructor(custodian: Custodian, value: T) {
    this.#value = value;
    custodian.manage(this, boxKind);
  }

  /** Null once the custodian is shut down. */
  get value(): T | null {
    return this.#value;
  }

  /** @internal */
  empty(): void {
    this.#value = null;
  }
}

/** Marks boxes for every copy of this package in the process. */
const brand = Symbol.for("portreeve.custodian-box.v1");
Object.defineProperty(CustodianBox.prototype, brand, { value: true });

function isCustodianBox(value: unknown): boolean {
  return typeof value === "object" && value !== null && Reflect.get(value, brand) === true;
}

const boxKind: ResourceKind<CustodianBox<unknown>> = {
  name: "custodian box",
  shutDown: (box) => box.empty(),
};

/** @throws CustodianShutDownError when the custodian is shut down already. */
export function makeCustodianBox<T>(custodian: Custodian, value: T): CustodianBox<T> {
  return new CustodianBox(checkCustodian(custodian, "custodian"), value);
}

/** Null once the box's custodian is shut down. Racket entry: `custodian-box-value`. */
export function custodianBoxValue<T>(box: CustodianBox<T>): T | null {
  if (!isCustodianBox(box)) throw new ArgumentTypeError("box", "a custodian box", box);
  return box.value;
}
