/** Where things are, seen from the compiled tests, wherever these were compiled to. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that the tests were compiled into; it has `src` and `test` in it. */
export const compiledRoot: string = fileURLToPath(new URL("../..", import.meta.url));

/** The compiled library. */
export const compiledSource: string = join(compiledRoot, "src");

/** The checkout. */
export const projectRoot: string = findProject(process.cwd());

function findProject(folder: string): string {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: string };
    if (name === "portreeve") return folder;
  } catch {
    // Not here: further up.
  }
  const above = dirname(folder);
  if (above === folder) throw new Error("the tests must run inside the project");
  return findProject(above);
}
