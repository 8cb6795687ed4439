/**
 * Streams in memory, those of the web included, and what reads from streams.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { PassThrough, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { turn } from "../support.ts";
import { streamSpecimen } from "./specimen.ts";
import type { Case } from "./specimen.ts";

export const streamCases: readonly Case[] = [
  {
    what: "a stream that never says 'close'",
    kind: "stream without 'close'",
    make() {
      const resource = new Readable({ read() {}, emitClose: false });
      return {
        resource,
        hasEnded: () => resource.destroyed,
        endByItself() {
          resource.push(null);
          return once(resource.resume(), "end");
        },
      };
    },
  },
  { what: "a stream in memory", kind: "stream", make: () => streamSpecimen(new PassThrough()) },
  { what: "a transform", kind: "stream", make: () => streamSpecimen(createGzip()) },
  {
    what: "a readable web stream",
    kind: "readable web stream",
    make() {
      let ended = false;
      const resource = new ReadableStream({ cancel: () => void (ended = true) });
      return { resource, hasEnded: () => ended, endByItself: () => resource.cancel().then(turn) };
    },
    mute: true,
  },
  {
    what: "a writable web stream",
    kind: "writable web stream",
    make() {
      let ended = false;
      const end = () => void (ended = true);
      const resource = new WritableStream({ abort: end, close: end });
      return { resource, hasEnded: () => ended, endByItself: () => resource.close().then(turn) };
    },
    mute: true,
  },
  {
    what: "the reader of a web stream",
    kind: "web stream reader",
    make() {
      let ended = false;
      const resource = new ReadableStream({ cancel: () => void (ended = true) }).getReader();
      return { resource, hasEnded: () => ended, endByItself: () => resource.cancel().then(turn) };
    },
    mute: true,
  },
  {
    what: "the writer of a web stream",
    kind: "web stream writer",
    make() {
      let ended = false;
      const end = () => void (ended = true);
      const resource = new WritableStream({ abort: end, close: end }).getWriter();
      return { resource, hasEnded: () => ended, endByItself: () => resource.close().then(turn) };
    },
    mute: true,
  },
  {
    what: "a line reader",
    kind: "line reader",
    make() {
      const input = new PassThrough();
      const resource = createInterface({ input });
      let ended = false;
      resource.on("close", () => (ended = true));
      return { resource, hasEnded: () => ended, endByItself: () => once(input.end() && resource, "close") };
    },
  },
];
