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
  /** Characters of all names and values, pseudo-headers included. */
  readonly size: number;
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

/** Of the names of the pseudo-headers of HTTP/2, their first character; and what tells `:method` from `:scheme`. */
const colon = 58;
const letterM = 109;

/**
 * @param lineLength the length of the request line; 0 for HTTP/2, where `:method` and `:path` are in its place
 * @param rawHeaders names and values in turn
 */
export function judgeHead(lineLength: number, rawHeaders: readonly string[], limits: SafetyLimits): Head {
  let length = 0;
  let chunked = false;
  let bodyIsLimited = true;
  let longest = 0;
  let size = 0;
  let i = 0;
  let line = lineLength;
  // They come in pairs; asking whether each is there would be a fifth of the whole.
  const { length: end } = rawHeaders;
  // Pseudo-headers come first (RFC 9113, section 8.3), so that a look at the first that is none ends the looking.
  for (; i < end; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.charCodeAt(0) !== colon) break;
    const { length: valueLength } = rawHeaders[i + 1] as string;
    size += name.length + valueLength;
    // Looking them up among the headers costs more than all the rest.
    if (name.length === 5 || (name.length === 7 && name.charCodeAt(1) === letterM)) line += valueLength;
  }
  const count = (end - i) / 2;
  for (; i < end; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    const both = name.length + value.length;
    size += both;
    if (both > longest) longest = both;
    // By their lengths first: comparing texts costs more.
    if (name.length < 12 || name.length > 17) continue;
    if (name.length === 14 && name.toLowerCase() === "content-length") length = Number(value);
    else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") chunked = true;
    else if (name.length === 12 && name.toLowerCase() === "content-type") bodyIsLimited = !isExempt(value);
  }
  const broken =
    line > limits.maxRequestLineLength
      ? "maxRequestLineLength"
      : count > limits.maxRequestHeaders
        ? "maxRequestHeaders"
        : count > 0 && longest + separator > limits.maxRequestHeaderLength
          ? "maxRequestHeaderLength"
          : bodyIsLimited && length > limits.maxRequestBodyLength
            ? "maxRequestBodyLength"
            : null;
  return { broken, hasBody: chunked || length > 0, bodyIsLimited, size };
}

/** Whether a body of this type is none that `maxRequestBodyLength` is about. */
function isExempt(contentType: string): boolean {
  return /^\s*(multipart\/|application\/grpc)/i.test(contentType);
}
