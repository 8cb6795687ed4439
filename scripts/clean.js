// Removes build folders, so that nothing of a file that is gone stays behind: `node scripts/clean.js dist cli/dist`.
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

for (const folder of process.argv.slice(2)) {
  rmSync(join(import.meta.dirname, "..", folder), { recursive: true, force: true });
}
