/**
 * Bounded reading, so that no protocol has to write it again: a line, a number of bytes, or up to a delimiter. What
 * comes after the item stays for the next call (pipelining). Nothing is read ahead of the stream's own buffer.
 */
import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { ArgumentTypeError, ConnectionClosedError, ReaderLimitError, UnexpectedEndError } from "../core/errors.ts";
import { size } from "../core/units.ts";
import type { Size } from "../core/units.ts";

/** What the reader tells its connection. @internal */
export interface ReaderHost {
  readonly input: Readable;
  readonly closeReason: string | null;
  bytesArrived(): void;
}

/** The common case, judged without the cost of units. */
function isPlainSize(value: Size): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

const empty = Buffer.alloc(0);
const lineFeed = 10;
const carriageReturn = 13;
const defaultLine = 8192;

/** A read under way. One object a call, and no closure: every request passes here. */
class Read {
  /** What is read, in the words of errors; a number is one of bytes. */
  readonly item: "a line" | "an item" | number;
  /** The longest accepted, in bytes. */
  readonly most: number;
  /** What ends the item. */
  readonly delimiter: Uint8Array;
  /** How many of the unread bytes hold no end of the item. */
  searched = 0;
  resolve!: (item: unknown) => void;
  reject!: (error: unknown) => void;

  constructor(item: Read["item"], most: number, delimiter: Uint8Array) {
    this.item = item;
    this.most = most;
    this.delimiter = delimiter;
  }

  promise(resolve: Read["resolve"], reject: Read["reject"]): void {
    this.resolve = resolve;
    this.reject = reject;
  }
}

/**
 * Reads the input of one connection. One call at a time. Every call resolves to null when the client has ended before
 * the item began, and rejects with `UnexpectedEndError` in the middle of it, with `ReaderLimitError` when it is longer
 * than allowed, and with `ConnectionClosedError` when the connection ends on our side.
 */
export class Reader {
  readonly #host: ReaderHost;
  #buffer: Buffer = empty;
  /** The unread bytes are #buffer[#start, #end); beyond #end there may be room of our own. */
  #start = 0;
  #end = 0;
  #room = false;
  #ended = false;
  #engaged = false;
  #underWay: Read | null = null;
  /** Made once, so that a promise costs no closure. */
  readonly #promise = (resolve: Read["resolve"], reject: Read["reject"]): void => {
    this.#underWay?.promise(resolve, reject);
  };
  #received = 0;
  /** How much had been received and read before the present request; -1 where nobody tells of requests. */
  #readBefore = -1;
  #wake: (() => void) | null = null;

  /** @internal */
  constructor(host: ReaderHost) {
    this.#host = host;
  }

  /** Bytes received and not read yet. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /** All bytes that this reader has taken from the port. @internal */
  get received(): number {
    return this.#received;
  }

  /** Whether somebody waits in the middle of an item. @internal */
  get waitsMidItem(): boolean {
    return this.#underWay !== null && this.buffered > 0;
  }

  /** Whether the program has read anything with this reader. @internal */
  get engaged(): boolean {
    return this.#engaged;
  }

  /** The next line as UTF-8, without its LF or CRLF. @param max the longest accepted, in bytes without the ending. */
  line(max: Size = defaultLine): Promise<string | null> {
    return this.#read(new Read("a line", isPlainSize(max) ? max : size(max, "max"), empty));
  }

  /** Exactly `count` bytes. The buffer is a view of what was received: copy it to keep it for long. */
  bytes(count: Size): Promise<Buffer | null> {
    const wanted = isPlainSize(count) ? count : size(count, "count", { finite: true });
    if (wanted === 0) return Promise.resolve(empty);
    return this.#read(new Read(wanted, wanted, empty));
  }

  /** Everything up to `delimiter`, which is read too but not given back. @param max the longest accepted, in bytes. */
  until(delimiter: string | Uint8Array, max: Size = defaultLine): Promise<Buffer | null> {
    if ((typeof delimiter !== "string" && !(delimiter instanceof Uint8Array)) || delimiter.length === 0) {
      throw new ArgumentTypeError("delimiter", "text or bytes, not empty", delimiter);
    }
    const most = isPlainSize(max) ? max : size(max, "max");
    return this.#read(new Read("an item", most, typeof delimiter === "string" ? Buffer.from(delimiter) : delimiter));
  }

  /** A new request begins, and whoever says so moves the phases: what it has had so far is what is left of the one before. @internal */
  startRequest(): void {
    this.#readBefore = this.#received - this.buffered;
  }

  /** Whether any of the present request has come. @internal */
  get hasBegun(): boolean {
    return this.#readBefore !== -1 && this.#received !== this.#readBefore;
  }

  /** Resolves when a byte has come or the client has ended, and reads nothing. @internal */
  async wait(): Promise<void> {
    const { input } = this.#host;
    if (this.buffered > 0 || input.readableLength > 0 || input.readableEnded || input.destroyed) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        input.off("readable", done);
        input.off("close", done);
        this.#wake = null;
        resolve();
      };
      this.#wake = done;
      input.on("readable", done);
      input.on("close", done);
    });
  }

  /** The connection has ended: whoever waits is told. @internal */
  stop(): void {
    this.#ended = true;
    this.#wake?.();
    this.#proceed();
  }

  /** Gives an item at once where it has come already, and else when it has: within the event that brings its last byte. */
  #read<T>(read: Read): Promise<T | null> {
    if (this.#underWay !== null) {
      return Promise.reject(new ArgumentTypeError("reader", "one read at a time", "a second one"));
    }
    this.#underWay = read;
    const item = new Promise<unknown>(this.#promise);
    this.#proceed();
    return item as Promise<T | null>;
  }

  /** Something has come, or nothing more will. */
  #proceed(): void {
    const read = this.#underWay;
    if (read === null) return;
    try {
      const item = this.#attempt(read);
      if (item === undefined) return;
      this.#underWay = null;
      read.resolve(item);
    } catch (error) {
      this.#underWay = null;
      read.reject(error);
    }
  }

  /** @returns the item, null at the end, or undefined when more has to come first */
  #attempt(read: Read): unknown {
    for (;;) {
      const item = this.buffered > 0 ? this.#find(read) : undefined;
      if (item !== undefined) return item;
      if (this.#fill()) continue;
      if (this.#ended) return this.#atEnd(read.item);
      // A request that comes whole is never waited for: the connection hears of those of which more has to come.
      if (this.hasBegun) this.#host.bytesArrived();
      return undefined;
    }
  }

  /** @returns the item, or undefined when it is not whole yet */
  #find(read: Read): unknown {
    if (read.item === "a line") return this.#findLine(read);
    if (read.item === "an item") return this.#findItem(read);
    return this.buffered < read.most ? undefined : this.#take(read.most);
  }

  #findLine(read: Read): string | undefined {
    const found = this.#buffer.indexOf(lineFeed, this.#start + read.searched);
    const at = found === -1 || found >= this.#end ? -1 : found - this.#start;
    read.searched = this.buffered;
    const length = at === -1 ? this.buffered : at;
    const carriage = at > 0 && this.#buffer[this.#start + at - 1] === carriageReturn ? 1 : 0;
    // One byte of grace while the line is open: it may be the CR.
    if (length - carriage > (at === -1 ? read.most + 1 : read.most)) throw new ReaderLimitError("a line", read.most);
    if (at === -1) return undefined;
    const line = this.#buffer.toString("utf8", this.#start, this.#start + at - carriage);
    this.#start += at + 1;
    return line;
  }

  #findItem(read: Read): Buffer | undefined {
    const { delimiter, most } = read;
    const at = this.#buffer.subarray(this.#start, this.#end).indexOf(delimiter, read.searched);
    if ((at === -1 ? this.buffered - delimiter.length + 1 : at) > most) throw new ReaderLimitError("an item", most);
    read.searched = Math.max(0, this.buffered - delimiter.length + 1);
    if (at === -1) return undefined;
    const item = this.#take(at);
    this.#start += delimiter.length;
    return item;
  }

  #atEnd(item: Read["item"]): null {
    const { closeReason } = this.#host;
    if (closeReason !== null) throw new ConnectionClosedError(closeReason);
    if (this.buffered > 0) {
      throw new UnexpectedEndError(typeof item === "number" ? `${item} bytes` : item, this.buffered);
    }
    return null;
  }

  /** Takes what the stream has. @returns whether there was anything. */
  #fill(): boolean {
    if (!this.#engaged) this.#engage();
    const chunk: unknown = this.#host.input.read();
    if (chunk === null) return false;
    this.#append(typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Uint8Array));
    if (this.#readBefore === -1) this.#host.bytesArrived();
    return true;
  }

  #engage(): void {
    this.#engaged = true;
    const { input } = this.#host;
    if (input.readableEnded || input.destroyed) this.#ended = true;
    const ended = (): void => this.stop();
    input.on("readable", () => this.#proceed());
    input.on("end", ended);
    input.on("close", ended);
  }

  #append(chunk: Uint8Array): void {
    this.#received += chunk.length;
    if (this.buffered === 0 && !this.#room) {
      this.#buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    this.#makeRoom(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Room for `more` bytes behind the unread ones, in memory of our own: what was handed out is never written again. */
  #makeRoom(more: number): void {
    if (this.#room && this.#buffer.length - this.#end >= more) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffered + more, 2 * this.buffered));
    this.#buffer.copy(grown, 0, this.#start, this.#end);
    this.#end = this.buffered;
    this.#start = 0;
    this.#buffer = grown;
    this.#room = true;
  }

  #take(count: number): Buffer {
    const isWhole = this.#start === 0 && count === this.#buffer.length;
    const taken = isWhole ? this.#buffer : this.#buffer.subarray(this.#start, this.#start + count);
    this.#start += count;
    if (this.buffered === 0) {
      this.#buffer = empty;
      this.#start = 0;
      this.#end = 0;
      this.#room = false;
    }
    return taken;
  }
}
