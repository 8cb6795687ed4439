// The timers that are compared, behind one shape. Each runs in a process of its own, so that every call has one kind of
// receiver and is inlined, as in a program that uses only that kind of timer.
//
//   start(action, ms)           makes a timer
//   reset(timers, i, ms)        moves the deadline of timers[i] to ms from now
//   refresh(timers, i)          the same in a second way, where there is one
//   increment(timers, i, ms)    moves the deadline of timers[i] by ms
//   cancel(timer)
//   pass(ms)                    brings everything started before and due within ms to the point of expiring
//   expire(ms)                  expires it, where that does not happen by itself in the next turn of the loop
//   forget()                    drops cancelled timers, where they pile up until the loop turns
//   drive()                     what its user has to run meanwhile
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { startTimerManager } from "../../dist/timers/index.js";

const require = createRequire(import.meta.url);

/** Time passes and nothing runs. */
function block(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

function nothing() {}

/** A record with the fields of our timers, made in the same way, so that its cache misses compare. */
class Bare {
  constructor(owner, at, action, subject) {
    this.at = at;
    this.due = -1;
    this.manager = owner;
    this.previous = null;
    this.next = null;
    this.run = action;
    this.subject = subject;
  }
  write(ms) {
    this.at = performance.now() + ms;
    return true;
  }
}

/** The least that a deadline of one's own costs: read the clock, write one field. */
function floor() {
  const owner = {};
  return {
    start: (action, ms) => new Bare(owner, performance.now() + ms, action, undefined),
    reset: (timers, i, ms) => timers[i].write(ms),
  };
}

function portreeve() {
  const manager = startTimerManager();
  return {
    start: (action, ms) => manager.start(ms, action),
    reset: (timers, i, ms) => timers[i].reset(ms),
    increment: (timers, i, ms) => timers[i].increment(ms),
    cancel: (timer) => timer.cancel(),
    pass: block,
  };
}

function replaceTimeout(timers, i, ms) {
  const { _onTimeout: action } = timers[i];
  clearTimeout(timers[i]);
  timers[i] = setTimeout(action, ms);
}

function node() {
  return {
    start: (action, ms) => setTimeout(action, ms),
    reset: replaceTimeout,
    refresh: (timers, i) => timers[i].refresh(),
    increment: replaceTimeout,
    cancel: (timer) => clearTimeout(timer),
    pass: block,
  };
}

/** The same, reset by timeout.refresh() wherever a program may choose. */
function refresh() {
  return { ...node(), reset: (timers, i) => timers[i].refresh() };
}

/** Reads no clock: it adds 499 ms a tick. So it is up to a second late, and as much as the loop was blocked. */
function undici() {
  const fast = require("undici/lib/util/timers.js");
  return {
    start: (action, ms) => fast.setFastTimeout(action, ms),
    reset: (timers, i) => timers[i].refresh(),
    increment: (timers, i, ms) => {
      const { _onTimeout: action } = timers[i];
      fast.clearFastTimeout(timers[i]);
      timers[i] = fast.setFastTimeout(action, ms);
    },
    cancel: (timer) => fast.clearFastTimeout(timer),
    pass: nothing,
    expire: (ms) => fast.tick(ms + 1000),
    forget: () => fast.reset(),
  };
}

/** Slots of 1024 ms; driven by its user; moving a timer is removing and scheduling again. */
function timerWheel() {
  const { ActionTimerWheel } = require("timer-wheel");
  let wheel = new ActionTimerWheel();
  // Its handle gives nothing back, so a program that moves timers keeps the action beside it.
  const replace = (timers, i, ms) => {
    const timer = timers[i];
    timer.handle.remove();
    timer.handle = wheel.schedule(timer.action, ms);
  };
  return {
    start: (action, ms) => ({ action, handle: wheel.schedule(action, ms) }),
    reset: replace,
    increment: replace,
    cancel: (timer) => timer.handle.remove(),
    pass: nothing,
    expire: (ms) => wheel.advance(wheel.localTime + ms + 2000),
    forget: () => {
      wheel = new ActionTimerWheel();
    },
    drive: () => setInterval(() => wheel.advance(), 1000),
  };
}

export const contenders = {
  floor,
  portreeve,
  "portreeve again": portreeve,
  setTimeout: node,
  refresh,
  undici,
  "timer-wheel": timerWheel,
};
