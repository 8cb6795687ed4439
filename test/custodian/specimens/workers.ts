/**
 * Child processes and workers, and what talks to them.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { turn } from "../support.ts";
import { close, fails } from "./specimen.ts";
import type { Case } from "./specimen.ts";

export function script(source: string): ChildProcess {
  return spawn(process.execPath, ["-e", source], { stdio: ["pipe", "pipe", "inherit"] });
}

export const workerCases: readonly Case[] = [
  {
    what: "a child process",
    kind: "child process",
    make() {
      const resource = script("process.stdin.resume()");
      return {
        resource,
        hasEnded: () => resource.exitCode !== null || resource.signalCode !== null,
        endByItself: () => {
          resource.stdin?.end();
          return once(resource, "exit");
        },
      };
    },
  },
  {
    what: "a worker",
    kind: "worker",
    async make() {
      const resource = new Worker("require('node:worker_threads').parentPort.once('message', () => {})", {
        eval: true,
      });
      await once(resource, "online");
      return {
        resource,
        hasEnded: () => resource.threadId === -1,
        endByItself: () => {
          // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker, not a window
          resource.postMessage("end");
          return once(resource, "exit");
        },
      };
    },
  },
  {
    what: "a message port",
    kind: "message port",
    make() {
      const { port1: resource, port2: other } = new MessageChannel();
      let ended = false;
      other.on("close", () => (ended = true));
      return { resource, hasEnded: () => ended, endByItself: () => once(close(other), "close").then(turn) };
    },
    tellsLater: true,
    mute: true,
  },
  {
    what: "a broadcast channel",
    kind: "broadcast channel",
    make() {
      const resource = new BroadcastChannel("portreeve");
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel, not a window
      const hasEnded = () => fails(() => resource.postMessage(""));
      return { resource, hasEnded, endByItself: () => resource.close() };
    },
    quiet: true,
  },
];
