// Completes package-lock.json (or the one named) with the optional packages of platforms whose metadata the registry at
// hand did not have when the lock was written: without an entry for each, `npm ci` refuses the lock everywhere. An
// entry made here has no integrity; it is skipped on every platform but its own.
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";

const file = process.argv[2] ?? "package-lock.json";
const lock = JSON.parse(readFileSync(file, "utf8"));
const platform =
  /(?:binding-|\/|-)(android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-(\w+)(?:-(\w+))?$/;
const exact = /^\d+\.\d+\.\d+/;

const added = [];
for (const [path, owner] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    if (`node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages) continue;
    const [, os, cpu, abi] = platform.exec(name) ?? [];
    if (os === undefined || !exact.test(version)) throw new Error(`cannot complete ${name}@${version} of ${path}`);
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(owner.dev === true ? { dev: true } : {}),
      ...(os === "linux" && abi !== undefined ? { libc: [abi.startsWith("musl") ? "musl" : "glibc"] } : {}),
      license: owner.license ?? "MIT",
      optional: true,
      os: [os],
    };
    added.push(`${name}@${version}`);
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? "nothing to add" : `added ${added.length}: ${added.join(", ")}`);
