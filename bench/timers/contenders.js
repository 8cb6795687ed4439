// The timers that are compared, behind one shape. Each runs in a process of its own, so that every call below has one
// receiver and is inlined as it would be in a program that uses only that kind of timer.
//
//   start(action, ms)           makes a timer
//   reset(timers, i, ms)        moves the deadline of timers[i] to ms from now
//   increment(timers, i, ms)    moves the deadline of timers[i] by ms
//   cancel(timer)
//   restart(timers, i)          where there is a second way to reset: timeout.refresh()
//   expire(ms)                  makes everything due within ms due now; what is left to do then is the expiry itself
//   reusable                    false where cancelled timers pile up until the loop turns; `forget` drops them
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
const { startTimerManager } = await import(process.env.DIST ?? "../../dist/timers/index.js");

const require = createRequire(import.meta.url);

function block(ms) {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** The least that a timer with a deadline of its own can cost: read the clock, write one field of a record like ours. */
function floor() {
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
  const owner = {};
  return {
    start: (action, ms) => new Bare(owner, performance.now() + ms, action, undefined),
    reset: (timers, i, ms) => timers[i].write(ms),
  };
}

function portreeve() {
  const manager = startTimerManager();
  return {
    manager,
    start: (action, ms) => manager.start(ms, action),
    reset: (timers, i, ms) => timers[i].reset(ms),
    increment: (timers, i, ms) => timers[i].increment(ms),
    cancel: (timer) => timer.cancel(),
    expire: block,
  };
}

function node() {
  const replace = (timers, i, ms) => {
    const { _onTimeout: action } = timers[i];
    clearTimeout(timers[i]);
    timers[i] = setTimeout(action, ms);
  };
  return {
    start: (action, ms) => setTimeout(action, ms),
    reset: replace,
    increment: replace,
    restart: (timers, i) => timers[i].refresh(),
    cancel: (timer) => clearTimeout(timer),
    expire: block,
  };
}

/** Does not know what time it is: adds 499 ms a tick. Late, or early after a blocked loop, by up to a second. */
function undici() {
  const timers = require("undici/lib/util/timers.js");
  const replace = (all, i, ms) => {
    const { _onTimeout: action } = all[i];
    timers.clearFastTimeout(all[i]);
    all[i] = timers.setFastTimeout(action, ms);
  };
  return {
    start: (action, ms) => timers.setFastTimeout(action, ms),
    reset: (all, i) => all[i].refresh(),
    increment: replace,
    cancel: (timer) => timers.clearFastTimeout(timer),
    expire: (ms) => timers.tick(ms + 1000),
    forget: () => timers.reset(),
  };
}

/** Coarse (1024 ms), and driven by its user. */
function timerWheel() {
  const { ActionTimerWheel } = require("timer-wheel");
  const wheel = new ActionTimerWheel();
  // The handle gives nothing back, so a program that moves timers has to keep the action beside it.
  const replace = (timers, i, ms) => {
    const { action, handle } = timers[i];
    handle.remove();
    timers[i].handle = wheel.schedule(action, ms);
  };
  return {
    start: (action, ms) => ({ action, handle: wheel.schedule(action, ms) }),
    reset: replace,
    increment: replace,
    cancel: (timer) => timer.handle.remove(),
    expire: (ms) => wheel.advance(wheel.localTime + ms),
    drive: () => setInterval(() => wheel.advance(), 1000),
  };
}

export const contenders = {
  floor,
  portreeve,
  "portreeve again": portreeve,
  setTimeout: node,
  undici,
  "timer-wheel": timerWheel,
};
