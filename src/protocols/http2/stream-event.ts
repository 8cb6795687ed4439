/**
 * What node:http2 tells of a new stream: the stream, its head, the flags of the frame, and the head as it came.
 */
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { allowances } from "./control-frames.ts";

export type StreamEvent = readonly [ServerHttp2Stream, IncomingHttpHeaders, number, readonly string[]];

/** The flag of a head that no body follows (RFC 9113, section 6.2). */
const endStream = 0x1;

/** Whether a body follows. The stream knows it, too, but Node's own symbols are looked for in each stream anew. */
export function hasBody(event: StreamEvent): boolean {
  return (event[2] & endStream) === 0;
}

/** Bytes of frames that are known to belong to a stream with a head of this size, its body aside. */
export function allowanceFor(event: StreamEvent, size: number): number {
  return (
    size + (event[3].length / 2) * allowances.pair + allowances.stream + (hasBody(event) ? allowances.trailers : 0)
  );
}
