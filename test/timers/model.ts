/**
 * The naive truth about timers: a list of deadlines. Every verb is done to the real timer and to the list, and every
 * firing is checked against the list at the moment it happens.
 */
import assert from "node:assert/strict";
import { ManualClock } from "../../src/core/manual-clock.ts";
import { startTimer, startTimerManager } from "../../src/timers/index.ts";
import type { Timer, TimerManager } from "../../src/timers/index.ts";

/** One thing to do. `timer` picks a timer by its number, modulo how many there are. */
export type Step = { do: "start"; ms: number; next: readonly Step[] } | Move | { do: "advance"; ms: number };
export type Move =
  | { do: "reset" | "increment" | "revise"; timer: number; ms: number }
  | { do: "cancel"; timer: number };

interface Expected {
  state: "waiting" | "fired" | "cancelled";
  deadline: number;
  /** When the deadline was set: one that is already past then cannot fire before that. */
  since: number;
  /** Which of its actions must run. */
  revision: number;
}

/** What rounding may cost. Times here are below 2^40 ms. */
const rounding = 1e-3;

export class Model {
  readonly clock = new ManualClock();
  readonly manager: TimerManager;
  readonly #timers: { real: Timer; expected: Expected }[] = [];
  readonly #mistakes: unknown[] = [];

  constructor(resolution: number, startsAt: number) {
    this.clock.advance(startsAt);
    this.manager = startTimerManager({ clock: this.clock, resolution, onError: (error) => this.#mistakes.push(error) });
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) {
      this.#take(step);
      this.check();
    }
  }

  /** The same for many steps: looks at the timers only at the end. */
  runAll(steps: readonly Step[]): void {
    for (const step of steps) this.#take(step);
    this.check();
  }

  /** What must be true between two steps. */
  check(): void {
    const now = this.clock.now();
    let waiting = 0;
    for (const { real, expected } of this.#timers) {
      assert.equal(real.active, expected.state === "waiting");
      assert.equal(real.deadline, expected.deadline);
      if (expected.state !== "waiting") continue;
      waiting++;
      assert.ok(this.#latest(expected) >= now, `due at ${expected.deadline}, still waiting at ${now}`);
    }
    assert.equal(this.manager.size, waiting);
    assert.ok(this.clock.pending <= 1, "one wake-up serves all timers");
    assert.deepEqual(this.#mistakes, []);
  }

  #latest(expected: Expected): number {
    return Math.max(expected.deadline, expected.since) + this.manager.resolution + rounding;
  }

  #take(step: Step): void {
    if (step.do === "advance") return this.clock.advance(step.ms);
    if (step.do === "start") return this.#start(step.ms, step.next);
    const { real, expected } = this.#timers[step.timer % this.#timers.length] ?? {};
    if (real === undefined || expected === undefined) return;
    const waiting = expected.state === "waiting";
    assert.equal(this.#change(step, real, expected, waiting), waiting, `${step.do} says whether the timer was waiting`);
  }

  #change(step: Move, real: Timer, expected: Expected, waiting: boolean): boolean {
    const now = this.clock.now();
    if (step.do === "cancel") {
      if (waiting) expected.state = "cancelled";
      return real.cancel();
    }
    const deadline = step.do === "increment" ? expected.deadline + step.ms : now + step.ms;
    if (waiting) Object.assign(expected, { deadline, since: now });
    if (step.do === "reset") return real.reset(step.ms);
    if (step.do === "increment") return real.increment(step.ms);
    if (waiting) expected.revision++;
    return real.revise(step.ms, this.#action(expected, expected.revision, []));
  }

  #start(ms: number, next: readonly Step[]): void {
    const now = this.clock.now();
    const expected: Expected = { state: "waiting", deadline: now + ms, since: now, revision: 0 };
    let inside = true;
    const action = this.#action(expected, 0, next);
    const real = startTimer(this.manager, ms, () => {
      assert.equal(inside, false, "fired inside start");
      return action();
    });
    inside = false;
    this.#timers.push({ real, expected });
  }

  /** What fails in here is reported to the manager's onError, and so to `check`. */
  #action(expected: Expected, revision: number, next: readonly Step[]): () => void {
    return () => {
      const now = this.clock.now();
      assert.equal(expected.state, "waiting", "fired twice or after cancel");
      assert.equal(expected.revision, revision, "an action that was replaced ran");
      assert.ok(now >= expected.deadline, `fired at ${now}, early for ${expected.deadline}`);
      assert.ok(now <= this.#latest(expected), `fired at ${now}, late for ${expected.deadline}`);
      expected.state = "fired";
      for (const step of next) this.#take(step);
    };
  }
}
