/**
 * What passes over the ports of a connection: what has come, what was sent, and what waits on the way.
 */
import type { Budget } from "./budget.ts";
import type { CloseReason } from "./close-reason.ts";
import { PortPair } from "./port-pair.ts";
import { Reader } from "./reader.ts";
import type { Speaker } from "./speaker.ts";

export abstract class Traffic extends PortPair {
  /** @internal */ protected abstract usedReader: Reader | null;
  /** What its protocol knows of it; null where nobody speaks for us. @internal */
  abstract speaker: Speaker | null;
  /** The sweeper's, while it has something unsent or keeps us waiting. @internal */
  abstract budget: Budget | null;

  abstract get closeReason(): CloseReason | null;
  /** The reader took bytes from the port. @internal */
  abstract bytesArrived(): void;

  /** Bounded reading from the input. Use either this or the input itself. */
  get reader(): Reader {
    this.usedReader ??= new Reader(this);
    return this.usedReader;
  }

  /** Bytes that were written and have not left the process. @internal */
  get unsentBytes(): number {
    return this.unsentOnPorts + (this.speaker?.unsentBytes ?? 0);
  }

  /** Bytes that have come and were not read by the program. @internal */
  get unreadBytes(): number {
    return this.input.readableLength + (this.usedReader?.buffered ?? 0);
  }

  /** Bytes in memory on behalf of this connection. */
  get bufferedBytes(): number {
    return this.unreadBytes + this.unsentBytes;
  }

  /** All bytes received, as far as the port tells. @internal */
  get bytesReceived(): number {
    return this.bytesIn ?? this.usedReader?.received ?? 0;
  }

  /** All bytes received and handed to the output, as far as the ports tell. @internal */
  get bytesPassed(): number {
    return this.bytesReceived + this.bytesOut;
  }

  /** Whether the program waits for the rest of something that the client has begun. @internal */
  get waitsForClient(): boolean {
    return this.usedReader?.waitsMidItem === true || this.speaker?.waitsForClient === true;
  }

  /** Whether a request has begun that no phase tells of yet. @param isFirst whether it would be the first @internal */
  hasBegun(isFirst: boolean): boolean {
    if (this.unreadBytes > 0 || this.usedReader?.hasBegun === true) return true;
    // A program that reads the input by itself, without the reader; during the first request the port's count tells.
    return this.usedReader?.engaged !== true && isFirst && this.raw === null && this.bytesReceived > 0;
  }

  /** Nothing more is read: whoever waits is told. @internal */
  stopReading(): void {
    this.usedReader?.stop();
  }

  /** Another layer is read from now on. @internal */
  forgetReader(): void {
    this.usedReader = null;
  }
}
