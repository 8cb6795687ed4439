/**
 * Judging the head of a request, of HTTP/1.1 or HTTP/2: the lengths that Node does not judge one by one, and what body it
 * announces.
 */
import type { IncomingMessage } from "node:http";
import type { SafetyLimitName, SafetyLimits } from "../limits/safety-limits.ts";

/** A head as far as the limits are concerned. */
export interface Head {
  /** The limit that it breaks, or null. */
  readonly broken: SafetyLimitName | null;
  /** Whether a body follows, of however many bytes. */
  readonly hasBody: boolean;
  /** Whether `maxRequestBodyLength` is about its body: forms have limits of their own, and gRPC streams have none. */
  readonly bodyIsLimited: boolean;
}

/** The colon and the space between name and value. */
const separator = 2;

/** Two spaces and the version, as in "GET / HTTP/1.1". */
const restOfLine = 10;

/** The length of the request line of HTTP/1.1. */
export function requestLineLength({ method = "", url = "" }: IncomingMessage): number {
  return method.length + url.length + restOfLine;
}

/** The statuses with which a request is refused. */
export const limitStatus: Readonly<Partial<Record<SafetyLimitName, number>>> = {
  maxRequestLineLength: 414,
  maxRequestHeaders: 431,
  maxRequestHeaderLength: 431,
  maxRequestBodyLength: 413,
};

/** Responses in which silence is no fault: event streams, and gRPC. */
export const silentTypes: RegExp = /^(text\/event-stream|application\/grpc)/i;

/** Characters of all names and values, pseudo-headers included. @param rawHeaders names and values in turn */
export function headSize(rawHeaders: readonly string[]): number {
  let size = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    size += (rawHeaders[i] as string).length + (rawHeaders[i + 1] as string).length;
  }
  return size;
}

/** Whether a head, its request line included, is shorter than what any limit forbids in one part of it, as almost all are. */
export function isShort(size: number, rawHeaders: readonly string[], limits: SafetyLimits): boolean {
  const { maxRequestLineLength, maxRequestHeaders, maxRequestHeaderLength } = limits;
  const longest = size + separator;
  return (
    longest <= maxRequestLineLength && longest <= maxRequestHeaderLength && rawHeaders.length <= 2 * maxRequestHeaders
  );
}

/**
 * @param lineLength the length of the request line; 0 for HTTP/2, where `:method` and `:path` are in its place
 * @param rawHeaders names and values in turn
 */
export function judgeHead(lineLength: number, rawHeaders: readonly string[], limits: SafetyLimits): Head {
  let length = 0;
  let chunked = false;
  let bodyIsLimited = true;
  let size = lineLength;
  // They come in pairs; asking whether each is there would be a fifth of the whole.
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    size += name.length + value.length;
    // By their lengths first: comparing texts costs more, and looking them up among the headers more than all the rest.
    if (name.length < 12 || name.length > 17) continue;
    if (name.length === 14 && name.toLowerCase() === "content-length") length = Number(value);
    else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") chunked = true;
    else if (name.length === 12 && name.toLowerCase() === "content-type") bodyIsLimited = !isExempt(value);
  }
  let broken = isShort(size, rawHeaders, limits) ? null : brokenByLength(lineLength, rawHeaders, limits);
  if (bodyIsLimited && length > limits.maxRequestBodyLength) broken ??= "maxRequestBodyLength";
  return { broken, hasBody: chunked || length > 0, bodyIsLimited };
}

/** Part by part, of a head that is long in all. */
function brokenByLength(
  lineLength: number,
  rawHeaders: readonly string[],
  limits: SafetyLimits,
): SafetyLimitName | null {
  let line = lineLength;
  let longest = 0;
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const { length } = rawHeaders[i + 1] as string;
    if (!name.startsWith(":")) {
      count++;
      longest = Math.max(longest, name.length + separator + length);
    } else if (name === ":method" || name === ":path") line += length;
  }
  if (line > limits.maxRequestLineLength) return "maxRequestLineLength";
  if (count > limits.maxRequestHeaders) return "maxRequestHeaders";
  return longest > limits.maxRequestHeaderLength ? "maxRequestHeaderLength" : null;
}

/** Whether a body of this type is none that `maxRequestBodyLength` is about. */
function isExempt(contentType: string): boolean {
  return /^\s*(multipart\/|application\/grpc)/i.test(contentType);
}
