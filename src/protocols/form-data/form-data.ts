/**
 * `portreeve/form-data`: the form in the body of a request, within the safety limits. Multipart forms need the package
 * `@fastify/busboy`.
 *
 * ```ts
 * import { createServer } from "node:http";
 * import { FormDataError, parseFormData } from "portreeve/form-data";
 *
 * createServer(async (request, response) => {
 *   try {
 *     const form = await parseFormData(request);
 *     response.end(`${form.fields.size} fields, ${form.files.length} files\n`);
 *   } catch (error) {
 *     response.writeHead(error instanceof FormDataError ? error.status : 500, { Connection: "close" }).end();
 *   }
 * });
 * ```
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Http2ServerRequest, ServerHttp2Stream } from "node:http2";
import { Readable } from "node:stream";
import { ArgumentTypeError, CustodianShutDownError } from "../../core/errors.ts";
import { isIncomingMessage } from "../../core/node-modules.ts";
import { checkOptions, optional } from "../../core/options.ts";
import type { Custodian } from "../../custodian/custodian.ts";
import { toSafetyLimits } from "../../limits/safety-limits.ts";
import type { SafetyLimits, SafetyLimitsOptions } from "../../limits/safety-limits.ts";
import { gone, readBody } from "./body.ts";
import { loadDicer } from "./busboy.ts";
import { FormDataError, malformed } from "./errors.ts";
import { FormLimits } from "./form-limits.ts";
import { MultipartParser } from "./multipart.ts";
import { parseParameters } from "./parameters.ts";
import type { ParsedFormData } from "./parsed-form-data.ts";
import { requestOwner } from "./request-owner.ts";
import { UrlencodedParser } from "./urlencoded.ts";

export interface ParseFormDataOptions {
  /** In force in any case. @default those of the request's manager, which may only observe, else makeSafetyLimits() */
  safetyLimits?: SafetyLimits | SafetyLimitsOptions;
  /** The headers of a stream that has none of its own: those that the event 'stream' of an http2 server brings. */
  headers?: IncomingHttpHeaders;
}

/** A request of node:http, node:https or node:http2 whose body nobody has read, or a stream of http2 and its headers. */
export type FormDataRequest = IncomingMessage | Http2ServerRequest | ServerHttp2Stream;

interface Parser {
  take(chunk: Buffer): Promise<void> | undefined;
  finish(): Promise<ParsedFormData>;
  discard(): Promise<void>;
}

/**
 * Reads the form in the body of `request`: multipart/form-data or application/x-www-form-urlencoded. Resolves when the body
 * has ended. It sets no deadline: a client that stalls is ended by the deadlines of its connection, and then this rejects.
 *
 * Files longer than `formDataFileMemoryThreshold` are in temporary files that the request owns: they are gone when it has
 * been answered, or the client has gone away. In memory a form takes at most `maxFormDataFiles` times
 * `formDataFileMemoryThreshold` and `maxFormDataFields` times `maxFormDataFieldLength`.
 *
 * After an error nothing is left of the form, the request is still open, and the rest of its body is read and thrown away:
 * answer `error.status` and close the connection (`Connection: close`; the stream, in HTTP/2), or a client may go on
 * sending for as long as its deadlines allow.
 * @throws FormDataError for what the client did: no form (415), a malformed or incomplete one (400), over a limit (413).
 * @throws FormDataParserError for a multipart form where `@fastify/busboy` is not installed.
 * @throws ArgumentTypeError for anything but a request whose body nobody has read. Other errors are those of the disk.
 */
export async function parseFormData(request: FormDataRequest, options?: ParseFormDataOptions): Promise<ParsedFormData> {
  const given = checkOptions(options, "options", ["safetyLimits", "headers"]);
  const body = checkRequest(request);
  const headers = optional(given.headers, "options.headers", checkHeaders, (request as IncomingMessage).headers);
  if (headers === undefined) throw new ArgumentTypeError("options.headers", "the headers of the stream", undefined);
  const owner = requestOwner(body);
  const own = optional(given.safetyLimits, "options.safetyLimits", toSafetyLimits, undefined);
  const limits = own === undefined ? owner.limits : new FormLimits(own, null);
  let parser: Parser | null = null;
  try {
    const chosen = await chooseParser(headers, limits, owner.custodian);
    parser = chosen;
    await readBody(body, owner.custodian, (chunk) => chosen.take(chunk));
    return await parser.finish();
  } catch (error) {
    body.on("error", () => {}).resume();
    await parser?.discard();
    // What was being written when the request ended.
    throw error instanceof CustodianShutDownError ? gone(error) : error;
  }
}

async function chooseParser(headers: IncomingHttpHeaders, limits: FormLimits, custodian: Custodian): Promise<Parser> {
  const text = headers["content-type"] ?? "";
  const type = parseParameters(text);
  const [word = ""] = text.split(";", 1);
  switch (type?.word ?? word.trim().toLowerCase()) {
    case "multipart/form-data":
      return new MultipartParser(await loadDicer(), checkBoundary(type?.parameters.get("boundary")), limits, custodian);
    case "application/x-www-form-urlencoded":
      // Before anything is read: the client need not send it.
      limits.check("maxRequestBodyLength", Number(headers["content-length"] ?? 0));
      return new UrlencodedParser(limits);
    default:
      throw new FormDataError(
        415,
        null,
        "multipart/form-data or application/x-www-form-urlencoded",
        text === "" ? "no Content-Type" : JSON.stringify(text.slice(0, 80)),
      );
  }
}

/** RFC 2046: at most 70 characters. More kinds of them are used than are allowed, and do no harm. */
function checkBoundary(boundary: string | undefined): string {
  if (boundary !== undefined && /^[ -~]{0,69}[!-~]$/.test(boundary)) return boundary;
  throw malformed("a boundary of 1 to 70 characters", boundary ?? "none");
}

/** Streams of node:http2 are recognised by what they have: most programs never load it. */
function checkRequest(value: unknown): Readable {
  const isRequest = value instanceof Readable && (isIncomingMessage(value) || "rstCode" in value || "stream" in value);
  if (!isRequest) throw new ArgumentTypeError("request", "a request of node:http or node:http2", value);
  if (value.readableDidRead || value.readableEncoding !== null) {
    throw new ArgumentTypeError("request", "a request whose body nobody has read", value);
  }
  return value;
}

function checkHeaders(value: unknown, path: string): IncomingHttpHeaders {
  if (typeof value === "object" && value !== null) return value as IncomingHttpHeaders;
  throw new ArgumentTypeError(path, "headers", value);
}

export { FormDataError, FormDataParserError } from "./errors.ts";
export type { FormDataStatus } from "./errors.ts";
export type { FormDataFile } from "./form-file.ts";
export type { FormDataValue, ParsedFormData } from "./parsed-form-data.ts";
