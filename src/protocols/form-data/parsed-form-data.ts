/**
 * A form that was read. Names are the client's: they are keys of Maps, never of objects.
 */
import type { FormDataFile } from "./form-file.ts";

export type FormDataValue = string | FormDataFile;

/** Fields and files in the order in which they came. */
export interface ParsedFormData extends Iterable<readonly [name: string, value: FormDataValue]> {
  /** The values of each field that is no file, by name, in order. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** All files, in order. */
  readonly files: readonly FormDataFile[];
  /** The first value of that name, or null. */
  get(name: string): FormDataValue | null;
  /** All values of that name, in order. */
  getAll(name: string): readonly FormDataValue[];
  has(name: string): boolean;
}

/** What the two parsers fill. */
export class FormDataEntries implements ParsedFormData {
  readonly #entries: (readonly [string, FormDataValue])[] = [];
  readonly #byName: Map<string, FormDataValue[]> = new Map();
  readonly #fields: Map<string, string[]> = new Map();
  readonly #files: FormDataFile[] = [];

  get fields(): ReadonlyMap<string, readonly string[]> {
    return this.#fields;
  }

  get files(): readonly FormDataFile[] {
    return this.#files;
  }

  get(name: string): FormDataValue | null {
    return this.#byName.get(name)?.[0] ?? null;
  }

  getAll(name: string): readonly FormDataValue[] {
    return this.#byName.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  [Symbol.iterator](): Iterator<readonly [string, FormDataValue]> {
    return this.#entries.values();
  }

  add(name: string, value: FormDataValue): void {
    this.#entries.push([name, value]);
    put(this.#byName, name, value);
    if (typeof value === "string") put(this.#fields, name, value);
    else this.#files.push(value);
  }
}

function put<T>(map: Map<string, T[]>, name: string, value: T): void {
  const values = map.get(name);
  if (values === undefined) map.set(name, [value]);
  else values.push(value);
}
