// What a benchmark prints: tables for people, or with --json one line a figure.
import os from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";

/** The flags that every benchmark takes. Anything else ends the process with one line and code 2. */
export function flags() {
  const { json, quick } = parsed();
  return { json: json === true, quick: quick === true };
}

function parsed() {
  try {
    return parseArgs({ options: { json: { type: "boolean" }, quick: { type: "boolean" } } }).values;
  } catch (error) {
    console.error(`${error.message} (a benchmark takes --quick and --json)`);
    return process.exit(2);
  }
}

export class Report {
  #bench;
  #json;
  #failed = [];

  constructor(bench, { json }) {
    this.#bench = bench;
    this.#json = json;
    this.say(`${bench}: Node ${process.version} on ${os.cpus()[0]?.model.trim()} (${os.cpus().length} cores)`);
  }

  /** A line for people. */
  say(line = "") {
    if (!this.#json) console.log(line);
  }

  /** Begins a table whose rows all have these columns. */
  table(title, columns) {
    this.say();
    this.say(title.padEnd(34) + columns.map((column) => String(column).padStart(12)).join(""));
  }

  /**
   * One figure a column. `figures` are { figure, value }, with a `unit` and a `goal` of their own where those differ from
   * the row's; a goal is what the value may be at most. A value that misses it is marked.
   */
  row(name, figures, rowUnit, rowGoal) {
    const judged = figures.map(({ figure, value, unit = rowUnit, goal = rowGoal, judge = true }) => {
      const holds = goal === undefined || !judge || Number.isNaN(value) ? undefined : value <= goal;
      if (holds === false) this.#failed.push(`${figure}: ${written(value, unit)}, goal ${goal}`);
      return { figure, value, unit, goal, holds };
    });
    if (this.#json) {
      for (const { figure, value, unit, goal, holds } of judged) {
        if (Number.isNaN(value)) continue;
        const rounded = Number(value.toPrecision(4));
        console.log(
          JSON.stringify({
            bench: this.#bench,
            figure,
            value: rounded,
            unit,
            goal: holds === undefined ? null : goal,
            holds: holds ?? null,
          }),
        );
      }
      return;
    }
    const cells = judged.map(({ value, unit, holds }) =>
      `${written(value, unit)}${holds === false ? "!" : " "}`.padStart(12),
    );
    const goals = judged.filter(({ holds }) => holds !== undefined).map(({ goal }) => goal);
    const verdict = judged.every(({ holds }) => holds !== false) ? "holds" : "does not hold everywhere";
    const asked = [...new Set(goals)].join(", ");
    this.say(`  ${name}`.padEnd(34) + cells.join("") + (asked === "" ? "" : `  goal <= ${asked}: ${verdict}`));
  }

  /** The last lines: what did not hold. */
  end() {
    this.say();
    this.say(this.#failed.length === 0 ? "every goal holds" : "goals that do not hold:");
    for (const line of this.#failed) this.say(`  ${line}`);
  }
}

function written(value, unit) {
  if (Number.isNaN(value)) return "-";
  const digits = unit === "x" ? 3 : Math.abs(value) < 100 ? 1 : 0;
  return value.toFixed(digits);
}
