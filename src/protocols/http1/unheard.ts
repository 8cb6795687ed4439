/**
 * What a client sends once the end of its connection has begun.
 */
import type { Readable } from "node:stream";

/** Takes the socket from node:http, so that what still comes is thrown away rather than parsed. */
export function takeFromParser(input: Readable): void {
  for (const event of ["data", "end", "drain", "timeout"]) input.removeAllListeners(event);
  // A listener of ours makes the socket give bytes to JavaScript again instead of the parser.
  input.on("data", () => {});
  // node:http has stopped reading where nobody took the body, and the stream believes that it still reads.
  input._read(0);
}
