// Checks docs/racket.md: `node scripts/check-racket-doc.js [document]`.
// In every table the last two cells of a row are where something is done and the test that proves it:
//   `src/file.ts` `symbol`, `Class.member`  |  `test/file.test.ts` "the name of a test"
// Each named file, symbol and test must exist. A row without them says why, after a dash. The rows of the first table
// are numbered, and none of the sentences of Racket's page may be missing.
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";

const project = new URL("..", import.meta.url).pathname;
const document = resolve(process.argv[2] ?? join(project, "docs/racket.md"));

/** How many sentences each entry of the page has; 0 is its signature, as a sentence of its own. */
const sentences = {
  page: [1, 2],
  connection: [0, 6],
  "connection-manager?": [0, 0],
  "start-connection-manager": [0, 8],
  "new-connection": [0, 7],
  "kill-connection!": [0, 1],
  "adjust-connection-timeout!": [0, 1],
  "reset-connection-timeout!": [0, 2],
};

const faults = [];
const texts = new Map();

function textOf(path) {
  if (!texts.has(path)) {
    const file = join(project, path);
    texts.set(path, existsSync(file) ? readFileSync(file, "utf8") : null);
  }
  return texts.get(path);
}

const escape = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Whether `text` declares `symbol`, or a class or interface with that member. */
function declares(text, symbol) {
  const [name, member] = symbol.split(".");
  const declaration = new RegExp(
    `^(?:export )?(?:async |abstract )*(?:function|const|class|interface|type) ${name}\\b`,
    "m",
  );
  if (!declaration.test(text)) return new RegExp(`^export \\{[^}]*\\b${name}\\b`, "m").test(text);
  if (member === undefined) return true;
  const body = text.slice(text.search(declaration));
  const modifiers = "(?:readonly |async |override |static |get |set )*";
  return new RegExp(`^  ${modifiers}${escape(member)}[?!]?[(<:;= ]`, "m").test(body.slice(0, body.search(/^\}/m)));
}

function hasTest(text, name) {
  const quoted = escape(name);
  return new RegExp(`\\b(?:test|it)\\(\\s*(["'\`])${quoted}\\1`).test(
    text.replaceAll('\\"', "”").replaceAll("\\'", "'"),
  );
}

function checkWhere(row, cell) {
  let path = null;
  let symbols = 0;
  for (const [, token] of cell.matchAll(/`([^`]+)`/g)) {
    if (token.includes("/")) {
      path = token;
      if (textOf(path) === null) faults.push(`${row}: there is no file ${path}`);
    } else if (path === null) faults.push(`${row}: ${token} follows no file`);
    else {
      symbols += 1;
      const text = textOf(path);
      if (text !== null && !declares(text, token)) faults.push(`${row}: ${path} has no ${token}`);
    }
  }
  if (symbols === 0) faults.push(`${row}: names no symbol`);
}

function checkTests(row, cell) {
  let path = null;
  let tests = 0;
  for (const [, file, name] of cell.matchAll(/`([^`]+)`|"([^"]+)"/g)) {
    if (file !== undefined) {
      path = file;
      if (textOf(path) === null) faults.push(`${row}: there is no file ${path}`);
      continue;
    }
    tests += 1;
    const text = path === null ? null : textOf(path);
    if (path === null) faults.push(`${row}: "${name}" follows no file`);
    else if (text !== null && !hasTest(text, name)) faults.push(`${row}: ${path} has no test "${name}"`);
  }
  if (tests === 0) faults.push(`${row}: names no test`);
}

const lines = readFileSync(document, "utf8").split("\n");
const seen = new Set();
let rows = 0;
for (const [index, line] of lines.entries()) {
  const isHead = /^\|[\s:|-]+\|$/.test(lines[index + 1] ?? "");
  if (!line.startsWith("|") || isHead || /^\|[\s:|-]+\|$/.test(line)) continue;
  const cells = line
    .slice(1, line.lastIndexOf("|"))
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
  const row = `line ${index + 1} (${cells[0].replaceAll("`", "")})`;
  const where = cells.at(-2) ?? "";
  const tests = cells.at(-1) ?? "";
  rows += 1;
  seen.add(cells[0].replaceAll("`", ""));
  if (/^[—-] \S/.test(where)) continue;
  checkWhere(row, where);
  checkTests(row, tests);
}
for (const [entry, [first, last]] of Object.entries(sentences)) {
  for (let number = first; number <= last; number++) {
    if (!seen.has(`${entry} ${number}`)) faults.push(`sentence ${number} of ${entry} is missing`);
  }
}

for (const fault of faults) console.error(fault);
console.log(`${rows} rows, ${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;
