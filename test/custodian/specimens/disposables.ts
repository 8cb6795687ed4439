/**
 * Objects of a program's own that can be ended.
 */
import { EventEmitter, once } from "node:events";
import process from "node:process";
import { turn } from "../support.ts";
import { close } from "./specimen.ts";
import type { Case } from "./specimen.ts";

export const disposableCases: readonly Case[] = [
  {
    what: "an abort controller",
    kind: "abort controller",
    make() {
      const resource = new AbortController();
      return { resource, hasEnded: () => resource.signal.aborted, endByItself: () => resource.abort() };
    },
  },
  {
    what: "an object with Symbol.asyncDispose",
    kind: "async disposable",
    make() {
      const resource = {
        disposed: false,
        async [Symbol.asyncDispose]() {
          await turn();
          resource.disposed = true;
        },
      };
      return { resource, hasEnded: () => resource.disposed, endByItself: () => resource[Symbol.asyncDispose]() };
    },
    quiet: true,
  },
  {
    what: "an object with Symbol.dispose",
    kind: "disposable",
    make() {
      const resource = {
        disposed: false,
        [Symbol.dispose]() {
          resource.disposed = true;
        },
      };
      return { resource, hasEnded: () => resource.disposed, endByItself: () => resource[Symbol.dispose]() };
    },
    quiet: true,
  },
  {
    what: "an emitter that says 'close'",
    kind: "emitter of 'close'",
    make() {
      let ended = false;
      class Closable extends EventEmitter {
        close() {
          ended = true;
          process.nextTick(() => this.emit("close"));
        }
      }
      const resource = new Closable();
      return { resource, hasEnded: () => ended, endByItself: () => once(close(resource), "close") };
    },
    mute: true,
  },
];
