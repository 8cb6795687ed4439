/**
 * The header of one part of a multipart body: what the part is called, and whether it is a file.
 * RFC 7578, with the reading of names and file names of the WHATWG's forms, as browsers and `fetch` write them.
 */
import { malformed } from "./errors.ts";
import { isToken, parseParameters, trim } from "./parameters.ts";

export interface PartHeader {
  readonly name: string;
  /** Null for a field. */
  readonly filename: string | null;
  readonly contentType: string | null;
}

/** @param text the lines between the delimiter and the empty line. @throws FormDataError with status 400 */
export function parsePartHeader(text: string): PartHeader {
  const headers = new Map<string, string>();
  // A line that begins with a space continues the one before.
  for (const line of text.replaceAll(/\r\n(?=[ \t])/g, "").split("\r\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    if (!isToken(name) || /[\r\n\0]/.test(line)) throw malformed("a header of a part", line);
    // Which of two a reader believes is a matter of taste: a gap between two readers.
    if (headers.has(name)) throw malformed(`one header ${name} in a part`, "two");
    headers.set(name, trim(line.slice(colon + 1)));
  }
  const given = headers.get("content-disposition");
  const disposition = given === undefined ? null : parseParameters(given);
  const name = disposition?.parameters.get("name");
  if (disposition?.word !== "form-data" || name === undefined) {
    throw malformed('a part with Content-Disposition: form-data; name="..."', given ?? "none");
  }
  return {
    name: unescape(name),
    filename: filenameOf(disposition.parameters),
    contentType: headers.get("content-type") ?? null,
  };
}

function filenameOf(parameters: ReadonlyMap<string, string>): string | null {
  const plain = parameters.get("filename");
  if (plain !== undefined) return unescape(plain);
  // RFC 7578 forbids it in forms; old clients send nothing else for a name that is not ASCII.
  const extended = parameters.get("filename*");
  if (extended === undefined) return null;
  try {
    if (/^utf-8'[^']*'/i.test(extended)) return decodeURIComponent(extended.slice(extended.lastIndexOf("'") + 1));
  } catch {
    // Said below.
  }
  throw malformed("filename*=UTF-8''...", extended);
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["%22", '"'],
  ["%0d", "\r"],
  ["%0a", "\n"],
]);

function unescape(text: string): string {
  return text.replaceAll(/%(?:22|0d|0a)/gi, (escape) => escapes.get(escape.toLowerCase()) ?? escape);
}
