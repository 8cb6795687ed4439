/**
 * `@fastify/busboy`, loaded when the first multipart form comes. Of it we use Dicer, which finds the parts; the layer
 * above it, Busboy, drops what it does not like without a word.
 */
import type { Writable } from "node:stream";
import { FormDataParserError } from "./errors.ts";

/**
 * Emits 'preamble' and 'part' with a stream each, 'finish' once the last delimiter has come and every part was read,
 * 'error' when the body ended before that.
 */
export type Dicer = Writable;

export interface DicerOptions {
  boundary: string;
  maxHeaderSize: number;
  maxHeaderPairs: number;
  partHwm: number;
}

export type DicerClass = new (options: DicerOptions) => Dicer;

/** What Dicer hands the bytes of a header to. */
interface HeaderParser {
  /** @returns where the header ends in `data`, or undefined when it goes on */
  push(data: Buffer): number | undefined;
}

let loaded: DicerClass | null = null;

/** @throws FormDataParserError when it is not installed. */
export async function loadDicer(): Promise<DicerClass> {
  if (loaded !== null) return loaded;
  try {
    const { Dicer } = await import("@fastify/busboy");
    loaded = Dicer as unknown as DicerClass;
    return loaded;
  } catch (cause) {
    throw new FormDataParserError("multipart forms need a package: npm install @fastify/busboy@3", { cause });
  }
}

/**
 * Calls `hear` with each piece of a part's header, and whether it was the last. No event of Dicer tells how long a header
 * was, or that it was cut; this is the one private property that we touch.
 * @throws FormDataParserError when it is not there.
 */
export function hearHeaders(dicer: Dicer, hear: (piece: Buffer, isLast: boolean) => void): void {
  const { _hparser: parser } = dicer as Dicer & { _hparser?: HeaderParser };
  if (typeof parser?.push !== "function") {
    throw new FormDataParserError("this version of @fastify/busboy is not known: npm install @fastify/busboy@3.2.6");
  }
  const push = parser.push.bind(parser);
  parser.push = (data) => {
    const end = push(data);
    hear(end === undefined ? data : data.subarray(0, end), end !== undefined);
    return end;
  };
}
