/**
 * Judging the head of a request: the lengths that node:http does not judge one by one, and what body it announces.
 */
import type { IncomingMessage } from "node:http";
import type { SafetyLimitName, SafetyLimits } from "../../limits/safety-limits.ts";

/** A head as far as the limits are concerned. */
export interface Head {
  /** The limit that it breaks, or null. */
  readonly broken: SafetyLimitName | null;
  /** Whether a body follows, of however many bytes. */
  readonly hasBody: boolean;
  /** Whether `maxRequestBodyLength` is about its body: forms have limits of their own, and gRPC streams have none. */
  readonly bodyIsLimited: boolean;
}

/** Two spaces and the version, as in "GET / HTTP/1.1". */
const restOfLine = 10;
/** The colon and the space between name and value. */
const separator = 2;

/** The statuses with which a request is refused. */
export const limitStatus: Readonly<Partial<Record<SafetyLimitName, number>>> = {
  maxRequestLineLength: 414,
  maxRequestHeaders: 431,
  maxRequestHeaderLength: 431,
  maxRequestBodyLength: 413,
};

export function judgeHead({ method = "", url = "", rawHeaders }: IncomingMessage, limits: SafetyLimits): Head {
  let length = 0;
  let chunked = false;
  let bodyIsLimited = true;
  let longest = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    const value = rawHeaders[i + 1] ?? "";
    longest = Math.max(longest, name.length + value.length);
    // By their lengths first: comparing texts costs more.
    if (name.length === 14 && name.toLowerCase() === "content-length") length = Number(value);
    else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") chunked = true;
    else if (name.length === 12 && name.toLowerCase() === "content-type") bodyIsLimited = !isExempt(value);
  }
  const broken =
    method.length + url.length + restOfLine > limits.maxRequestLineLength
      ? "maxRequestLineLength"
      : rawHeaders.length / 2 > limits.maxRequestHeaders
        ? "maxRequestHeaders"
        : rawHeaders.length > 0 && longest + separator > limits.maxRequestHeaderLength
          ? "maxRequestHeaderLength"
          : bodyIsLimited && length > limits.maxRequestBodyLength
            ? "maxRequestBodyLength"
            : null;
  return { broken, hasBody: chunked || length > 0, bodyIsLimited };
}

/** Whether a body of this type is none that `maxRequestBodyLength` is about. */
function isExempt(contentType: string): boolean {
  return /^\s*(multipart\/|application\/grpc)/i.test(contentType);
}
