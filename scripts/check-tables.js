// Checks that the tables of docs/events.md and docs/errors.md say what the built package has:
// `node scripts/check-tables.js [folder with events.md and errors.md]`.
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";

const project = new URL("..", import.meta.url).pathname;
const documents = resolve(process.argv[2] ?? join(project, "docs"));
const faults = [];

/** The rows of the first table, each a list of cells, without code marks. */
function rows(document) {
  const table = readFileSync(join(documents, document), "utf8").match(/(?:^\|.*\n)+/m)?.[0] ?? "";
  const lines = table.trim().split("\n").slice(2);
  return lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

/** A map of row names to what else is compared, from a document and from the sources. */
function compare(document, documented, actual) {
  for (const [name, facts] of actual) {
    if (!documented.has(name)) faults.push(`${document}: ${name} is missing`);
    else if (documented.get(name) !== facts) {
      faults.push(`${document}: ${name}: says "${documented.get(name)}", is "${facts}"`);
    }
  }
  for (const name of documented.keys()) if (!actual.has(name)) faults.push(`${document}: there is no ${name}`);
}

const sources = readdirSync(join(project, "src"), { recursive: true })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => readFileSync(join(project, "src", file), "utf8"))
  .join("\n");

const { exports } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
const entries = await Promise.all(
  Object.values(exports)
    .filter((entry) => typeof entry === "object")
    .map((entry) => import(join(project, entry.default))),
);

// Events: the names as defined at run time, the fields as typed where they are defined.
const { channelNames } = await import(join(project, "dist/core/channels.js"));
const fields = new Map(
  [...sources.matchAll(/defineChannel<\{([^}]*)\}>\(\s*"([^"]+)"/g)].map(([, message, name]) => [
    name,
    [...message.matchAll(/(\w+)\??:/g)].map(([, field]) => field).join(", "),
  ]),
);
compare(
  "events.md",
  new Map(rows("events.md").map(([name, , message]) => [name, message])),
  new Map(channelNames().map((name) => [name, fields.get(name)])),
);

// Errors: the classes as exported, the codes as written in the sources.
const errors = new Set(
  entries.flatMap((entry) => Object.values(entry)).filter((value) => value?.prototype instanceof Error),
);
const classes = new Map(
  [...sources.matchAll(/^export class (\w+) extends \w*Error \{([^]*?)^\}/gm)].map(([, name, body]) => {
    const code = /readonly code = "([^"]+)"/.exec(body)?.[1];
    const facts = [...body.matchAll(/^ {2}readonly (\w+):/gm)].map(([, field]) => field);
    return [name, `${code} ${facts.join(", ")}`];
  }),
);
compare(
  "errors.md",
  new Map(rows("errors.md").map(([name, code, , facts]) => [name, `${code} ${facts}`])),
  new Map([...errors].map(({ name }) => [name, classes.get(name)])),
);

for (const fault of faults) console.error(fault);
console.log(`${channelNames().length} events, ${errors.size} errors, ${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;
