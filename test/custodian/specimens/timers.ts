/**
 * Timers of Node, and ours.
 */
import { startTimer, startTimerManager } from "../../../src/timers/index.ts";
import type { Case, Specimen } from "./specimen.ts";

function nodeTimerSpecimen(timer: NodeJS.Timeout | NodeJS.Immediate, stop: () => void): Specimen {
  return {
    resource: timer,
    hasEnded: () => Reflect.get(timer, "_destroyed") === true,
    endByItself: stop,
    cleanUp: stop,
  };
}

export const timerCases: readonly Case[] = [
  {
    what: "a timeout of Node",
    kind: "Node timer",
    make() {
      const timer = setTimeout(() => {}, 1_000_000);
      return nodeTimerSpecimen(timer, () => clearTimeout(timer));
    },
    quiet: true,
  },
  {
    what: "an interval of Node",
    kind: "Node timer",
    make() {
      const timer = setInterval(() => {}, 1_000_000);
      return nodeTimerSpecimen(timer, () => clearInterval(timer));
    },
    quiet: true,
  },
  {
    what: "an immediate of Node",
    kind: "Node timer",
    make() {
      const timer = setImmediate(() => {});
      return nodeTimerSpecimen(timer, () => clearImmediate(timer));
    },
    quiet: true,
  },
  {
    what: "a timer",
    kind: "timer",
    make() {
      const resource = startTimer(startTimerManager(), 1_000_000, () => {});
      return { resource, hasEnded: () => !resource.active, endByItself: () => resource.cancel() };
    },
    quiet: true,
  },
];
