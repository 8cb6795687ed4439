/**
 * What has to do with files, and a folder for it that lasts as long as the test file.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createReadStream, createWriteStream, mkdtempSync, rmSync, watch, writeFileSync } from "node:fs";
import { open, opendir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PassThrough } from "node:stream";
import { after } from "node:test";
import { close, fails, streamSpecimen } from "./specimen.ts";
import type { Case } from "./specimen.ts";

export const folder = mkdtempSync(join(tmpdir(), "portreeve-"));
export const file = join(folder, "file");
writeFileSync(file, "x".repeat(1_000_000));
after(() => rmSync(folder, { recursive: true }));

export const fileCases: readonly Case[] = [
  { what: "a stream that reads a file", kind: "stream", make: () => streamSpecimen(createReadStream(file)) },
  {
    what: "a stream that writes a file",
    kind: "stream",
    make: () => streamSpecimen(createWriteStream(join(folder, "written")) as unknown as PassThrough),
  },
  {
    what: "a file handle",
    kind: "file handle",
    async make() {
      const resource = await open(file);
      return { resource, hasEnded: () => resource.fd === -1, endByItself: () => resource.close() };
    },
  },
  {
    what: "a file system watcher",
    kind: "file system watcher",
    make() {
      const resource = watch(folder);
      let ended = false;
      resource.on("close", () => (ended = true));
      return { resource, hasEnded: () => ended, endByItself: () => once(close(resource), "close") };
    },
    tellsLater: true,
    mute: true,
  },
  {
    what: "a directory",
    kind: "directory",
    async make() {
      const resource = await opendir(folder);
      return {
        resource,
        hasEnded: () => fails(() => resource.readSync()),
        async endByItself() {
          for await (const entry of resource) assert.ok(entry.name);
        },
      };
    },
    quiet: true,
  },
];
