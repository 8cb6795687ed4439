// Checks that imports point down: `node scripts/check-layers.js [folder]`, by default over src.
// A folder imports only folders with a smaller number, its own files, Node, and the package's listed dependencies;
// nobody imports an index.ts; only core/clock.ts asks Node for the time; only core/node-modules.ts loads node:http and what
// is above it, which it does without an import.
import { readFileSync, readdirSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, resolve } from "node:path";
import process from "node:process";

const layers = {
  core: 0,
  timers: 1,
  limits: 1,
  custodian: 2,
  connection: 3,
  admission: 4,
  protocols: 5,
  server: 6,
  manage: 7,
  observe: 8,
  quota: 8,
  testing: 8,
};
/** Inside protocols/ a folder imports only the ones before it; the files beside the folders are shared by all. */
const protocols = ["net", "tls", "websocket", "http1", "http2"];

const root = resolve(process.argv[2] ?? "src");
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });

/** Strings stay (imports are strings), comments go. */
function withoutComments(text) {
  return text.replace(/("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\*[^]*?\*\/|\/\/.*/g, "$1");
}

/** Why `from` must not import `to` (both relative to the root), or null. */
function importFault(from, to) {
  const [fromFolder, fromProtocol] = from.split("/");
  const [toFolder, toProtocol] = to.split("/");
  if (to.endsWith("index.ts")) return "nobody imports an index.ts";
  // The window re-exports from everywhere.
  if (from === "index.ts") return null;
  if (layers[toFolder] === undefined) return `${toFolder} has no place in the layers`;
  if (fromFolder !== toFolder) {
    if (layers[toFolder] < layers[fromFolder]) return null;
    return `${fromFolder} (${layers[fromFolder]}) imports ${toFolder} (${layers[toFolder]})`;
  }
  if (fromFolder !== "protocols" || fromProtocol === toProtocol || toProtocol.endsWith(".ts")) return null;
  if (fromProtocol.endsWith(".ts")) return "a shared file imports one protocol";
  if (protocols.includes(fromProtocol) && protocols.indexOf(toProtocol) < protocols.indexOf(fromProtocol)) return null;
  return `${fromProtocol} imports ${toProtocol}, which does not come before it`;
}

function packageFault(specifier) {
  if (isBuiltin(specifier)) return specifier.startsWith("node:") ? null : `write node:${specifier}`;
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  return dependencies.includes(name) ? null : `${name} is no listed dependency`;
}

function* faults(file) {
  const code = withoutComments(readFileSync(join(root, file), "utf8"));
  const [folder] = file.split("/");
  if (file !== "index.ts" && layers[folder] === undefined) yield `${folder} has no place in the layers`;
  for (const [, a, b] of code.matchAll(/\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g)) {
    const specifier = a ?? b;
    const fault = specifier.startsWith(".")
      ? importFault(file, join(dirname(file), specifier).replaceAll("\\", "/"))
      : packageFault(specifier);
    if (fault !== null) yield `imports ${specifier}: ${fault}`;
  }
  for (const [, module] of code.matchAll(/\bimport\s+(?!type\b)[^;]*?\bfrom\s*["'](node:(?:https?|http2|tls))["']/g)) {
    yield `imports ${module}: core/node-modules.ts loads it where it is needed`;
  }
  if (file === "core/clock.ts") return;
  // A method of that name, defined or called, is something else.
  const calls =
    /(?<!\.)\b(?:setTimeout|setInterval)\(|\bglobalThis\.set(?:Timeout|Interval)\b|\bDate\.now\b|\bperformance\b/g;
  const methods = /^\s*(?:set(?:Timeout|Interval))\([^]*?\): [^;{]+\{/gm;
  for (const [call] of code.replace(methods, "").matchAll(calls)) yield `${call}: only core/clock.ts asks for the time`;
  for (const [timers] of code.matchAll(/["']node:(?:timers|perf_hooks)(?:\/promises)?["']/g)) {
    yield `${timers}: only core/clock.ts asks for the time`;
  }
}

const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"))
  .sort();
if (files.length === 0) {
  console.error(`no TypeScript file in ${root}`);
  process.exit(1);
}
let failed = 0;
for (const file of files) {
  for (const fault of faults(file)) {
    console.error(`${file}: ${fault}`);
    failed += 1;
  }
}
console.log(`${files.length} files, ${failed} against the layers`);
process.exitCode = failed > 0 ? 1 : 0;
