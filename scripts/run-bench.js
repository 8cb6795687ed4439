// Runs a benchmark: `npm run bench -- timers [--quick] [--json]`; without a name, lists them. What they compare with is
// installed on first use, and again when bench/package-lock.json changes.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const bench = join(import.meta.dirname, "../bench");
const [name, ...flags] = process.argv.slice(2);
const names = readdirSync(bench).flatMap((file) => (file.endsWith(".js") ? [file.slice(0, -3)] : []));

if (name === undefined) {
  for (const known of names)
    console.log(
      readFileSync(join(bench, `${known}.js`), "utf8")
        .split("\n")[0]
        .slice(3),
    );
  process.exit(0);
}
if (!names.includes(name)) {
  console.error(`no benchmark is named ${name} (there are: ${names.join(", ")})`);
  process.exit(2);
}

function run(command, args, stdout) {
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", stdout, "inherit"] });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

const changed = (file) => statSync(join(bench, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
// To standard error, because standard output may be JSON.
if (changed("node_modules/.package-lock.json") < changed("package-lock.json")) run("npm", ["ci", "--prefix", bench], 2);
run(process.execPath, ["--expose-gc", join(bench, `${name}.js`), ...flags], "inherit");
