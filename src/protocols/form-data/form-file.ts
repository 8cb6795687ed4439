/**
 * A file of a form, while it comes and afterwards: in memory, or in a temporary file once it is longer than
 * `formDataFileMemoryThreshold`.
 */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Custodian } from "../../custodian/custodian.ts";
import { ByteCollector } from "./byte-collector.ts";
import type { FormLimits } from "./form-limits.ts";
import type { PartHeader } from "./part-header.ts";
import { TemporaryFile } from "./temporary-file.ts";

/** A file as the client sent it. Its words (`field`, `filename`, `contentType`) are the client's: never a path, never HTML. */
export interface FormDataFile {
  /** The name of the field. */
  readonly field: string;
  /** What the client calls it; empty when the user chose none. */
  readonly filename: string;
  /** What the client takes it for. @default "text/plain", as RFC 7578 says */
  readonly contentType: string;
  /** In bytes. */
  readonly size: number;
  /** The temporary file (0600), or null when it is in memory. Gone when the request ends: copy or rename it before. */
  readonly path: string | null;
  /** All of it, in memory of the caller's own. */
  bytes(): Promise<Uint8Array>;
  /** Where it is on disk, the request owns the stream. @throws CustodianShutDownError after the request, for one on disk */
  stream(): Readable;
}

/** Below this, a write is not worth its while: a client decides how small the pieces are. */
const batch = 64 * 1024;

export class IncomingFile implements FormDataFile {
  readonly field: string;
  readonly filename: string;
  readonly contentType: string;
  readonly #limits: FormLimits;
  readonly #custodian: Custodian;
  readonly #collector: ByteCollector = new ByteCollector();
  #size = 0;
  #content: Buffer | null = null;
  #file: TemporaryFile | null = null;

  constructor(header: PartHeader, filename: string, limits: FormLimits, custodian: Custodian) {
    this.field = header.name;
    this.filename = filename;
    this.contentType = header.contentType ?? "text/plain";
    this.#limits = limits;
    this.#custodian = custodian;
  }

  get size(): number {
    return this.#size;
  }

  get path(): string | null {
    return this.#file?.path ?? null;
  }

  async bytes(): Promise<Uint8Array> {
    if (this.#file === null) return new Uint8Array(this.#content ?? []);
    const { buffer, byteOffset, length } = await readFile(this.#file.path);
    return new Uint8Array(buffer, byteOffset, length);
  }

  stream(): Readable {
    if (this.#file === null) return Readable.from([Buffer.from(this.#content ?? [])], { objectMode: false });
    const stream = createReadStream(this.#file.path);
    // A client that goes away takes the file with it; whoever reads the stream is told, and the process lives on.
    stream.on("error", () => {});
    return this.#custodian.use(stream);
  }

  /** More of it came. @throws FormDataError over `maxFormDataFileLength` */
  append(data: Uint8Array): void {
    this.#size += data.length;
    this.#limits.check("maxFormDataFileLength", this.#size);
    this.#collector.append(data);
  }

  /** Whether enough waits in memory to be written. */
  get isDue(): boolean {
    return this.#isLong && this.#collector.size >= batch;
  }

  async flush(): Promise<void> {
    if (this.#collector.size === 0) return;
    this.#file ??= new TemporaryFile(this.#custodian);
    await this.#file.write(this.#collector.take());
  }

  /** All of it came. @returns what is to be waited for, if it went to disk */
  finish(): Promise<void> | undefined {
    if (this.#isLong) return this.flush().then(() => this.#file?.close());
    this.#content = this.#collector.take();
    return undefined;
  }

  /** The form failed: nothing of it stays. */
  async discard(): Promise<void> {
    this.#content = null;
    await this.#file?.remove();
  }

  get #isLong(): boolean {
    return this.#size > this.#limits.values.formDataFileMemoryThreshold;
  }
}
