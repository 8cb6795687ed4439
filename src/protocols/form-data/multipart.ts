/**
 * multipart/form-data. Dicer finds the parts; here they are counted, measured and put where they belong.
 *
 * Dicer works while it is written to, and its streams never pause: after each chunk all that it found is taken out of them,
 * and what is to go to disk is waited for before the next chunk is read. So an error is thrown where it is found, and no
 * event can be missed.
 */
import type { Readable } from "node:stream";
import type { Custodian } from "../../custodian/custodian.ts";
import { hearHeaders } from "./busboy.ts";
import type { Dicer, DicerClass } from "./busboy.ts";
import { ByteCollector } from "./byte-collector.ts";
import { FormDataParserError, malformed, truncated } from "./errors.ts";
import { IncomingFile } from "./form-file.ts";
import type { FormLimits } from "./form-limits.ts";
import { FormDataEntries } from "./parsed-form-data.ts";
import type { ParsedFormData } from "./parsed-form-data.ts";
import { parsePartHeader } from "./part-header.ts";

/** The end of the delimiter's line, and the empty line after the header. */
const framing = 6;

/** More than a chunk can have, so that Dicer never waits for us: its waking up has gaps. */
const neverFull = 2 ** 30;

/** What takes the content of a part. */
interface Sink {
  append(data: Buffer): void;
  /** @returns what is to be waited for */
  finish(): Promise<void> | undefined;
}

export class MultipartParser {
  readonly #limits: FormLimits;
  readonly #custodian: Custodian;
  readonly #dicer: Dicer;
  readonly #form: FormDataEntries = new FormDataEntries();
  readonly #files: IncomingFile[] = [];
  /** Settles with whether the last delimiter came. */
  readonly #outcome: Promise<boolean>;
  #isClosed = false;
  #parts = 0;
  #fields = 0;
  /** Bytes before the first delimiter and after the last. */
  #outside = 0;
  #part: Readable | null = null;
  #sink: Sink | null = null;
  #header: ByteCollector = new ByteCollector();
  #work: Promise<void>[] = [];

  constructor(Dicer: DicerClass, boundary: string, limits: FormLimits, custodian: Custodian) {
    this.#limits = limits;
    this.#custodian = custodian;
    // Its own reading of headers is turned off; ours is exact.
    this.#dicer = new Dicer({ boundary, maxHeaderSize: 0, maxHeaderPairs: 0, partHwm: neverFull });
    hearHeaders(this.#dicer, (piece, isLast) => this.#readHeader(piece, isLast));
    this.#dicer.on("preamble", (part: Readable) => this.#begin(part, this.#outsideSink()));
    this.#dicer.on("part", (part: Readable) => this.#beginPart(part));
    this.#outcome = new Promise((resolve) => {
      this.#dicer.on("error", () => resolve(false));
      this.#dicer.on("finish", () => {
        this.#isClosed = true;
        resolve(true);
      });
    });
  }

  /** @throws FormDataError; then there is nothing to do but `discard`. */
  take(chunk: Buffer): Promise<void> | undefined {
    if (this.#isClosed) {
      this.#countOutside(chunk);
      return undefined;
    }
    this.#dicer.write(chunk);
    if (this.#dicer.writableLength > 0) throw new FormDataParserError("@fastify/busboy did not take a chunk at once");
    this.#drain();
    const current = this.#files.at(-1);
    if (current?.isDue === true) this.#work.push(current.flush());
    return this.#waiting();
  }

  /** The body has ended. */
  async finish(): Promise<ParsedFormData> {
    this.#dicer.end();
    if (!(await this.#outcome)) throw truncated("the end of the body");
    this.#finishPart();
    await this.#waiting();
    return this.#form;
  }

  /** The form failed: nothing of it stays. */
  async discard(): Promise<void> {
    await Promise.allSettled(this.#work);
    await Promise.allSettled(this.#files.map((file) => file.discard()));
  }

  #beginPart(part: Readable): void {
    this.#finishPart();
    this.#parts++;
    this.#limits.check("maxFormDataParts", this.#parts);
    this.#begin(part, null);
  }

  #begin(part: Readable, sink: Sink | null): void {
    // One that is cut off says so with an error, and nobody else listens.
    part.on("error", () => {});
    this.#part = part;
    this.#sink = sink;
  }

  #readHeader(piece: Buffer, isLast: boolean): void {
    this.#header.append(piece);
    this.#limits.check("maxFormDataHeaderLength", this.#header.size - framing);
    if (!isLast) return;
    const text = this.#header.take().toString();
    const start = text.indexOf("\r\n");
    if (!/^[ \t]*$/.test(text.slice(0, start))) throw malformed("a delimiter alone on its line", text.slice(0, start));
    const header = parsePartHeader(text.slice(start + 2, -4));
    this.#sink = header.filename === null ? this.#field(header.name) : this.#file(header, header.filename);
  }

  #field(name: string): Sink {
    this.#fields++;
    this.#limits.check("maxFormDataFields", this.#fields);
    const collector = new ByteCollector();
    return {
      append: (data) => {
        this.#limits.check("maxFormDataFieldLength", collector.size + data.length);
        collector.append(data);
      },
      finish: () => {
        this.#form.add(name, collector.take().toString());
        return undefined;
      },
    };
  }

  #file(header: ReturnType<typeof parsePartHeader>, filename: string): Sink {
    this.#limits.check("maxFormDataFiles", this.#files.length + 1);
    const file = new IncomingFile(header, filename, this.#limits, this.#custodian);
    this.#files.push(file);
    return {
      append: (data) => file.append(data),
      finish: () => {
        this.#form.add(header.name, file);
        return file.finish();
      },
    };
  }

  #outsideSink(): Sink {
    return { append: (data) => this.#countOutside(data), finish: () => undefined };
  }

  /** Nobody needs it, and it must not go on for ever: it may be as long as the header of a part. */
  #countOutside(data: Buffer): void {
    this.#outside += data.length;
    this.#limits.check("maxFormDataHeaderLength", this.#outside);
  }

  /** Takes what has come of the present part; at its end this also lets the stream end. */
  #drain(): void {
    const part = this.#part;
    if (part === null) return;
    for (let data = part.read() as Buffer | null; data !== null; data = part.read() as Buffer | null) {
      if (this.#sink === null) throw new FormDataParserError("@fastify/busboy did not show the header of a part");
      this.#sink.append(data);
    }
  }

  #finishPart(): void {
    if (this.#part === null) return;
    this.#drain();
    if (this.#sink === null) throw malformed("an empty line after the header of a part", "a delimiter");
    const work = this.#sink.finish();
    if (work !== undefined) this.#work.push(work);
    this.#part = null;
    this.#sink = null;
  }

  #waiting(): Promise<void> | undefined {
    return this.#work.length === 0 ? undefined : this.#worked();
  }

  async #worked(): Promise<void> {
    await Promise.all(this.#work);
    this.#work = [];
  }
}
