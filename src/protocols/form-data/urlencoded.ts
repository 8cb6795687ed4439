/**
 * application/x-www-form-urlencoded, as the URL standard parses it, pair by pair as it comes. It never fails but over a
 * limit: what is no escape stands for itself.
 */
import { ByteCollector } from "./byte-collector.ts";
import type { FormLimits } from "./form-limits.ts";
import { FormDataEntries } from "./parsed-form-data.ts";
import type { ParsedFormData } from "./parsed-form-data.ts";

const ampersand = 0x26;
const equals = 0x3d;
const percent = 0x25;
const plus = 0x2b;
const space = 0x20;

export class UrlencodedParser {
  readonly #limits: FormLimits;
  readonly #form: FormDataEntries = new FormDataEntries();
  readonly #pair: ByteCollector = new ByteCollector();
  /** An escape has three bytes: a pair that is longer has a name or a value over its limit. */
  readonly #longestPair: number;
  #received = 0;
  #fields = 0;

  constructor(limits: FormLimits) {
    this.#limits = limits;
    const { maxFormDataHeaderLength, maxFormDataFieldLength } = limits.values;
    this.#longestPair = limits.areInForce ? 3 * (maxFormDataHeaderLength + maxFormDataFieldLength) + 1 : Infinity;
  }

  /** @throws FormDataError over a limit. */
  take(chunk: Buffer): undefined {
    this.#received += chunk.length;
    this.#limits.check("maxRequestBodyLength", this.#received);
    let start = 0;
    for (let end = chunk.indexOf(ampersand); end !== -1; end = chunk.indexOf(ampersand, start)) {
      this.#pair.append(chunk.subarray(start, end));
      this.#finishPair();
      start = end + 1;
    }
    this.#pair.append(chunk.subarray(start));
    if (this.#pair.size > this.#longestPair) this.#finishPair();
  }

  /** The body has ended. */
  finish(): Promise<ParsedFormData> {
    this.#finishPair();
    return Promise.resolve(this.#form);
  }

  discard(): Promise<void> {
    this.#pair.take();
    return Promise.resolve();
  }

  #finishPair(): void {
    const pair = this.#pair.take();
    if (pair.length === 0) return;
    this.#fields++;
    this.#limits.check("maxFormDataFields", this.#fields);
    const split = pair.indexOf(equals);
    const name = decode(split === -1 ? pair : pair.subarray(0, split));
    // In a multipart form the name is in the header.
    this.#limits.check("maxFormDataHeaderLength", name.length);
    const value = split === -1 ? Buffer.alloc(0) : decode(pair.subarray(split + 1));
    this.#limits.check("maxFormDataFieldLength", value.length);
    this.#form.add(name.toString(), value.toString());
  }
}

/** In place: `bytes` is ours, and no longer afterwards. */
function decode(bytes: Buffer): Buffer {
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at] ?? 0;
    if (byte === plus) byte = space;
    else if (byte === percent) {
      const high = digit(bytes[at + 1]);
      const low = digit(bytes[at + 2]);
      if (high !== -1 && low !== -1) {
        byte = high * 16 + low;
        at += 2;
      }
    }
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}

/** The value of a hexadecimal digit, or -1. */
function digit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
