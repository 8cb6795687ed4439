/**
 * Reads the body of a request, chunk by chunk, until it ends in one way or another. It settles in every case: at the end,
 * at an error of the reader, when the client goes away, when the request's owner is shut down.
 */
import type { Readable } from "node:stream";
import type { Custodian } from "../../custodian/custodian.ts";
import { truncated } from "./errors.ts";

/** Takes a chunk; what it gives back is waited for before more is read. */
export type ChunkReader = (chunk: Buffer) => Promise<void> | undefined;

/** Never destroys the request, so that it can be answered: after an error the rest is read and thrown away. */
export function readBody(request: Readable, custodian: Custodian, take: ChunkReader): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal } = custodian;
    let cause: unknown;
    const settle = (error?: unknown): void => {
      request.off("data", onData).off("end", onEnd).off("close", onGone);
      signal.removeEventListener("abort", onGone);
      // Without a listener the rest is thrown away.
      request.resume();
      if (error === undefined) resolve();
      else reject(error);
    };
    const onGone = (): void => settle(gone(cause));
    const onEnd = (): void => (isGone(request) || signal.aborted ? onGone() : settle());
    const onData = (chunk: Buffer): void => {
      try {
        const waiting = take(chunk);
        if (waiting === undefined) return;
        request.pause();
        waiting.then(() => request.resume(), settle);
      } catch (error) {
        settle(error);
      }
    };
    // Stays: what happens to the request afterwards must not end the process either.
    request.on("error", (error) => (cause = error));
    if (isGone(request) || signal.aborted) onGone();
    else {
      signal.addEventListener("abort", onGone);
      request.on("data", onData).on("end", onEnd).on("close", onGone);
    }
  });
}

/** The request ended before its body did. */
export function gone(cause: unknown): Error {
  return truncated("the end of the request", cause);
}

interface Abortable {
  aborted?: boolean;
  rstCode?: number;
  stream?: Abortable;
}

/** Whether the client, or we, gave it up. A stream of HTTP/2 that is reset ends like one that is complete. */
function isGone(request: Readable): boolean {
  const { aborted, rstCode, stream } = request as Abortable;
  if (aborted === true || stream?.aborted === true || (rstCode ?? stream?.rstCode ?? 0) !== 0) return true;
  return request.destroyed && !request.readableEnded;
}
