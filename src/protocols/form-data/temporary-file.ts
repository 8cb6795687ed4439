/**
 * A file in the folder for temporary files that nobody but this user may read, and that its owner removes. Its name has
 * nothing from the client in it.
 */
import { randomUUID } from "node:crypto";
import { open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Custodian } from "../../custodian/custodian.ts";
import { CustodianShutDownError } from "../../core/errors.ts";

export class TemporaryFile {
  readonly path: string = join(tmpdir(), `portreeve-${randomUUID()}`);
  readonly #custodian: Custodian;
  #handle: FileHandle | null = null;
  /** What is being done with the handle; one thing after the other. */
  #busy: Promise<unknown> = Promise.resolve();
  #removal: Promise<void> | null = null;

  /** Owned before it is opened, so that no moment exists in which it is there and nobody's. */
  constructor(custodian: Custodian) {
    this.#custodian = custodian;
    custodian.adopt(this, (file) => file.#end());
  }

  /** Appends. The caller waits for one write before the next: that is the backpressure. */
  write(data: Uint8Array): Promise<void> {
    return this.#next(async () => {
      // Exclusive: never a file, or a link, that somebody else put there.
      this.#handle ??= await open(this.path, "wx", 0o600);
      await this.#handle.writeFile(data);
    });
  }

  /** It stays, and holds no descriptor any more. */
  close(): Promise<void> {
    return this.#next(() => this.#closeHandle());
  }

  /** Removes it now. What fails is told to the custodian when that ends. */
  async remove(): Promise<void> {
    await this.#end();
    this.#custodian.release(this);
  }

  #next(work: () => Promise<void>): Promise<void> {
    if (this.#removal !== null) return Promise.reject(new CustodianShutDownError("the temporary file was removed"));
    const done = work();
    this.#busy = done;
    return done;
  }

  #end(): Promise<void> {
    return (this.#removal ??= this.#closeAndUnlink());
  }

  async #closeAndUnlink(): Promise<void> {
    await this.#busy.catch(() => {});
    try {
      await this.#closeHandle();
    } finally {
      await rm(this.path, { force: true });
    }
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }
}
