/**
 * Reads one command: an array of bulk strings, or a line of words (an inline command, as typed into telnet). All of it is
 * bounded, and nothing is allocated for a length that is only claimed.
 */
import { ReaderLimitError } from "portreeve";
import type { Reader } from "portreeve";
import { splitWords } from "./split-words.ts";

/** The client does not speak RESP; the message is worded as Redis does. */
export class ProtocolError extends Error {}

const asterisk = 42;
const lineFeed = 10;
const longestLine = 64 * 2 ** 10;
const mostWords = 1024;
/** One word, and all words of one command together. */
const longestWord = 32 * 2 ** 20;
const longestCommand = 2 * longestWord;

/** Null when the client has ended. @throws ProtocolError */
export async function readCommand(reader: Reader): Promise<Buffer[] | null> {
  for (;;) {
    const first = await reader.bytes(1);
    if (first === null) return null;
    const words = first[0] === asterisk ? await readArray(reader) : await readInline(reader, first);
    if (words === null || words.length > 0) return words;
  }
}

async function readInline(reader: Reader, first: Buffer): Promise<Buffer[] | null> {
  if (first[0] === lineFeed) return [];
  const rest = await readLine(reader, "too big inline request");
  if (rest === null) return null;
  const words = splitWords(first.toString("latin1") + rest);
  if (words === undefined) throw new ProtocolError("unbalanced quotes in request");
  return words;
}

async function readArray(reader: Reader): Promise<Buffer[] | null> {
  const head = await readLine(reader, "too big mbulk count string");
  if (head === null) return null;
  const count = wholeNumber(head);
  if (count === undefined || count > mostWords) throw new ProtocolError("invalid multibulk length");
  const words: Buffer[] = [];
  let left = longestCommand;
  for (let i = 0; i < count; i++) {
    const line = await readLine(reader, "too big bulk count string");
    if (line === null) return null;
    if (!line.startsWith("$")) throw new ProtocolError(`expected '$', got '${line[0] ?? " "}'`);
    const length = wholeNumber(line.slice(1));
    if (length === undefined || length < 0 || length > Math.min(longestWord, left)) {
      throw new ProtocolError("invalid bulk length");
    }
    left -= length;
    const word = await reader.bytes(length + 2);
    if (word === null) return null;
    words.push(word.subarray(0, length));
  }
  return words;
}

/** One character a byte, without the line's end. */
async function readLine(reader: Reader, complaint: string): Promise<string | null> {
  try {
    const line = await reader.until("\n", longestLine);
    return line === null ? null : line.toString("latin1").replace(/\r$/, "");
  } catch (error) {
    throw error instanceof ReaderLimitError ? new ProtocolError(complaint) : error;
  }
}

/** Nothing may stand in front of the digits, not even a zero. */
function wholeNumber(text: string): number | undefined {
  return /^(0|-?[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined;
}
