/**
 * Leak tracing: off by default, for development. It remembers where each custodian was made, and reports one that stays
 * open long after the work above it ended, and one that was collected while it still owned something.
 */
import { ArgumentTypeError } from "../core/errors.ts";
import { checkFunction, checkOptions, optional } from "../core/options.ts";
import { isThenable, warn } from "../core/report.ts";
import { duration } from "../core/units.ts";
import type { Duration } from "../core/units.ts";
import type { Custodian } from "./custodian.ts";

export interface LeakReport {
  /** `outlived`: still open after the `run` of its parent ended; `collected`: garbage while owning something. */
  readonly kind: "outlived" | "collected";
  readonly name: string | undefined;
  /** The stack of the call that made it. */
  readonly madeAt: string;
  /** How many things it owned. */
  readonly owned: number;
}

export interface LeakTracingOptions {
  /** How long a custodian may stay open after its parent's work. @default 10 s */
  after?: Duration;
  /** @default a process warning */
  onLeak?: (report: LeakReport) => unknown;
}

/** What outlives a custodian: it must not refer to it. */
interface Trace {
  name: string | undefined;
  madeAt: string;
  owned: number;
}

let current: LeakTracer | undefined;

/** The tracer, while tracing is on. */
export function leakTracer(): LeakTracer | undefined {
  return current;
}

/** Turns leak tracing on; disposing of the result turns it off. Each custodian then costs a stack trace. */
export function traceLeaks(options?: LeakTracingOptions): Disposable {
  const given = checkOptions(options, "options", ["after", "onLeak"]);
  const after = optional(
    given.after,
    "options.after",
    (value, path) => duration(value, path, { finite: true }),
    10_000,
  );
  const onLeak = optional(given.onLeak, "options.onLeak", checkFunction<(report: LeakReport) => unknown>, warnOfLeak);
  if (current !== undefined) throw new ArgumentTypeError("traceLeaks", "tracing to be off", "on");
  const tracer = new LeakTracer(after, onLeak);
  current = tracer;
  return {
    [Symbol.dispose]: () => {
      if (current === tracer) current = undefined;
    },
  };
}

function warnOfLeak({ kind, name, madeAt, owned }: LeakReport): void {
  const what = kind === "outlived" ? "is open long after the work above it ended" : "was collected";
  warn(new Error(`the custodian ${name ?? ""} made here ${what}, owning ${owned}\n${madeAt}`), "PortreeveLeakWarning");
}

/** The stack below the function that called `constructor`. */
function placeOfCall(constructor: Function): string {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, constructor);
  return holder.stack?.split("\n").slice(2).join("\n") ?? "";
}

class LeakTracer {
  readonly #after: number;
  readonly #onLeak: (report: LeakReport) => unknown;
  readonly #traces = new WeakMap<Custodian, Trace>();
  readonly #registry: FinalizationRegistry<Trace>;

  constructor(after: number, onLeak: (report: LeakReport) => unknown) {
    this.#after = after;
    this.#onLeak = onLeak;
    this.#registry = new FinalizationRegistry((trace) => {
      if (trace.owned > 0) this.#report("collected", trace);
    });
  }

  made(custodian: Custodian): void {
    const trace: Trace = { name: custodian.name, madeAt: placeOfCall(custodian.constructor), owned: 0 };
    this.#traces.set(custodian, trace);
    this.#registry.register(custodian, trace, trace);
  }

  changed(custodian: Custodian, added: boolean): void {
    const trace = this.#traces.get(custodian);
    if (trace !== undefined) trace.owned += added ? 1 : -1;
  }

  closed(custodian: Custodian): void {
    const trace = this.#traces.get(custodian);
    if (trace !== undefined) this.#registry.unregister(trace);
  }

  /** `result` is what the work under `custodian` gave back: when it has settled, the children have `after` milliseconds left. */
  working(custodian: Custodian, result: unknown): void {
    const ended = (): void => {
      for (const child of custodian.children()) child.environment.timers.start(this.#after, () => this.#judge(child));
    };
    if (isThenable(result)) result.then(ended, ended);
    else ended();
  }

  #judge(custodian: Custodian): void {
    const trace = this.#traces.get(custodian);
    if (trace !== undefined && !custodian.isShutDown) this.#report("outlived", trace);
  }

  #report(kind: LeakReport["kind"], trace: Trace): void {
    if (current !== this) return;
    try {
      this.#onLeak({ kind, ...trace });
    } catch (error) {
      warn(error, "PortreeveLeakWarning");
    }
  }
}
