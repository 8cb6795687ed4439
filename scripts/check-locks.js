// Checks that no package-lock.json names a registry: `node scripts/check-locks.js [folder]`.
// (.npmrc says omit-lockfile-registry-resolved; a lock written elsewhere may not have heard.)
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";

const root = resolve(process.argv[2] ?? ".");

function* locks(folder) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile() && entry.name === "package-lock.json") yield path;
    if (entry.isDirectory() && !["node_modules", ".git", ".build", "dist"].includes(entry.name)) yield* locks(path);
  }
}

let checked = 0;
let failed = 0;
for (const path of locks("")) {
  const { packages } = JSON.parse(readFileSync(join(root, path), "utf8"));
  for (const [name, { resolved }] of Object.entries(packages)) {
    // Workspaces are links, resolved to their folder.
    if (resolved === undefined || !/^[a-z+]+:/.test(resolved)) continue;
    console.error(`${path}: ${name} is resolved to a URL`);
    failed += 1;
  }
  checked += 1;
}
if (checked === 0) console.error(`no package-lock.json in ${root}`);
console.log(`${checked} lock files, ${failed} URLs`);
process.exitCode = failed > 0 || checked === 0 ? 1 : 0;
