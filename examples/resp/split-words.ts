/**
 * The words of an inline command: separated by blanks; "quoted\n" with escapes, or 'quoted' without.
 */

const blanks = /[ \t-\r]*/y;
/** What stands in front of the quotes, what is in double ones, what is in single ones. */
const word = /([^ \t-\r"']*)(?:"((?:\\x[\da-f]{2}|\\[^]|[^"\\])*)"|'((?:\\'|\\(?!')|[^'\\])*)')?(?=[ \t-\r]|$)/iy;
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\u0007" };

/** @param line one character a byte @returns undefined where a quote is not closed, or closed in the middle of a word */
export function splitWords(line: string): Buffer[] | undefined {
  const words: Buffer[] = [];
  for (let at = endOf(blanks, line, 0); at < line.length; at = endOf(blanks, line, word.lastIndex)) {
    word.lastIndex = at;
    const match = word.exec(line);
    if (match === null) return undefined;
    const [, bare = "", double = "", single = ""] = match;
    words.push(Buffer.from(bare + unescape(double) + single.replaceAll(String.raw`\'`, "'"), "latin1"));
  }
  return words;
}

function endOf(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  pattern.test(text);
  return pattern.lastIndex;
}

function unescape(quoted: string): string {
  return quoted.replaceAll(/\\(?:x([\da-f]{2})|([^]))/gi, (_all, hex: string | undefined, letter: string) =>
    hex === undefined ? (escapes[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
