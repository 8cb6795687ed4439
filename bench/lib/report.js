// What a benchmark prints: tables for people, or with --json one line a figure.
import os from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";

/** The flags that every benchmark takes. */
export function flags() {
  const { values } = parseArgs({ options: { json: { type: "boolean" }, quick: { type: "boolean" } } });
  return { json: values.json === true, quick: values.quick === true };
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
   * One figure a column. `figures` are { figure, value }; `goal`, where there is one, is what the value may be at most.
   * A value that misses it is marked.
   */
  row(name, figures, unit, goal) {
    const judged = figures.map(({ figure, value, judge = true }) => {
      const holds = goal === undefined || !judge || Number.isNaN(value) ? undefined : value <= goal;
      if (holds === false) this.#failed.push(`${figure}: ${written(value, unit)}, goal ${goal}`);
      return { figure, value, holds };
    });
    if (this.#json) {
      for (const { figure, value, holds } of judged) {
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
    const cells = judged.map(({ value, holds }) =>
      `${written(value, unit)}${holds === false ? "!" : " "}`.padStart(12),
    );
    const verdict = judged.every(({ holds }) => holds !== false) ? "holds" : "does not hold everywhere";
    this.say(`  ${name}`.padEnd(34) + cells.join("") + (goal === undefined ? "" : `  goal <= ${goal}: ${verdict}`));
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
  const digits = unit === "x" ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return value.toFixed(digits);
}
