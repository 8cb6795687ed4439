// Checks that the tables of docs/ (events, errors, close reasons, limits, custodians) say what the built package has:
// `node scripts/check-tables.js [folder with these documents]`.
import { readFileSync, readdirSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import { createServer as createNet } from "node:net";
import { join, resolve } from "node:path";
import process from "node:process";
import { createServer as createTls } from "node:tls";

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

// Close reasons: manner and codes.
const { closeReasons } = await import(join(project, "dist/connection/close-reason.js"));
compare(
  "close-reasons.md",
  new Map(rows("close-reasons.md").map(([reason, , ...facts]) => [reason, facts.join(" ")])),
  new Map(
    Object.entries(closeReasons).map(([reason, { manner, httpStatus, http2Code, websocketCode }]) => [
      reason,
      [manner, httpStatus, http2Code, websocketCode].join(" "),
    ]),
  ),
);

// Limits: both defaults, in the words of the options, and which servers take them.
const { LimitNotEnforcedError, makeSafetyLimits, manage, makeUnlimitedSafetyLimits, safetyLimitNames, serve } =
  entries[0];

function limitFrom(text) {
  const [, rate, grace] = /^(\d+) B\/s after (\w+)$/.exec(text) ?? [];
  if (rate !== undefined) return { bytesPerSecond: Number(rate), grace };
  const [, count, per] = /^(\w+) in (\w+)$/.exec(text) ?? [];
  if (count !== undefined) return { count: Number(count), per };
  if (text === "null") return null;
  return Number.isNaN(Number(text)) ? text : Number(text);
}

async function takes(start) {
  try {
    await (await start()).close();
    return true;
  } catch (error) {
    if (error instanceof LimitNotEnforcedError) return false;
    throw error;
  }
}

async function enforcers(name) {
  // Neither default of any limit.
  const options = { safetyLimits: { [name]: 7 } };
  const handlers = { port: 0, host: "127.0.0.1", readRequest: () => null, dispatch: () => undefined };
  const servers = {
    serve: () => serve({ ...options, ...handlers }),
    net: () => manage(createNet(), options),
    tls: () => manage(createTls(), options),
    http: () => manage(createHttp(), options),
    https: () => manage(createHttps(), options),
  };
  const taken = [];
  for (const [server, start] of Object.entries(servers)) if (await takes(start)) taken.push(server);
  return taken.length === Object.keys(servers).length ? "all" : taken.join(", ");
}

const limitFacts = (limits, unlimited, by) => JSON.stringify([limits, unlimited, by], printable);
const printable = (_key, value) => (value === Infinity ? "Infinity" : value);
const actualLimits = new Map();
for (const name of safetyLimitNames) {
  const facts = limitFacts(makeSafetyLimits()[name], makeUnlimitedSafetyLimits()[name], await enforcers(name));
  actualLimits.set(name, facts);
}
compare(
  "limits.md",
  new Map(
    rows("limits.md").map(([name, byDefault, unlimited, by]) => {
      const known = safetyLimitNames.includes(name);
      const meant = (text) => (known ? makeSafetyLimits({ [name]: limitFrom(text) })[name] : text);
      return [name, limitFacts(meant(byDefault), meant(unlimited), by)];
    }),
  ),
  actualLimits,
);

// Custodians: the kinds of resource, in the order in which they are tried.
const { kindNames } = await import(join(project, "dist/custodian/resources.js"));
const kinds = rows("custodians.md").map(([kind]) => kind);
compare("custodians.md", new Map(kinds.map((kind) => [kind, ""])), new Map(kindNames.map((kind) => [kind, ""])));
if (faults.length === 0 && kinds.join() !== kindNames.join()) faults.push("custodians.md: the order is not the code's");

for (const fault of faults) console.error(fault);
console.log(
  `${channelNames().length} events, ${errors.size} errors, ${actualLimits.size} limits, ${faults.length} faults`,
);
process.exitCode = faults.length > 0 ? 1 : 0;
