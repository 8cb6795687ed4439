/**
 * The values of Content-Type and Content-Disposition: a word, and parameters behind semicolons. Linear in the length of
 * what a client sent; the names go to a Map, so that none of them means anything to JavaScript.
 */

export interface ParameterizedValue {
  /** Lower case. */
  readonly word: string;
  /** By name in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * @returns null for what is no such value, or has a parameter twice. A quoted value ends at the next quote: browsers
 * write a quote as %22, and a backslash is only a backslash.
 */
export function parseParameters(text: string): ParameterizedValue | null {
  const [head = ""] = text.split(";", 1);
  const word = trim(head).toLowerCase();
  const parameters = new Map<string, string>();
  for (let at = head.length; at < text.length;) {
    // At a semicolon.
    at = skipSpace(text, at + 1);
    if (at === text.length) break;
    if (text[at] === ";") continue;
    const equals = text.indexOf("=", at);
    if (equals === -1) return null;
    const name = trim(text.slice(at, equals)).toLowerCase();
    const start = skipSpace(text, equals + 1);
    const isQuoted = text[start] === '"';
    const end = isQuoted ? text.indexOf('"', start + 1) : endOfWord(text, start);
    if (end === -1) return null;
    const value = isQuoted ? text.slice(start + 1, end) : trim(text.slice(start, end));
    if (!token.test(name) || parameters.has(name)) return null;
    if (!isQuoted && (value === "" || value.includes('"'))) return null;
    parameters.set(name, value);
    at = skipSpace(text, isQuoted ? end + 1 : end);
    if (at < text.length && text[at] !== ";") return null;
  }
  return { word, parameters };
}

/** Whether `text` is a name as headers and their parameters have it. */
export function isToken(text: string): boolean {
  return token.test(text);
}

/** Without spaces and tabs at both ends. */
export function trim(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1])) end--;
  return text.slice(Math.min(skipSpace(text, 0), end), end);
}

function endOfWord(text: string, start: number): number {
  const semicolon = text.indexOf(";", start);
  return semicolon === -1 ? text.length : semicolon;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text[at])) at++;
  return at;
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\t";
}
