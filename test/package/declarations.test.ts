import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { TemporaryFolder, root, run } from "../support/run-script.ts";
import { npm, pack } from "./packed.ts";

const consumer = join(root, "test/package/consumer/consumer.ts");
const compilers = join(root, "test/package/typescripts");
const project = new TemporaryFolder();

/** The compilers are no development dependency: 100 MB that only this test needs. */
async function installCompilers(): Promise<void> {
  const lock = readFileSync(join(compilers, "package-lock.json"));
  const installed = join(compilers, "node_modules/.installed");
  if (existsSync(installed) && readFileSync(installed).equals(lock)) return;
  await npm(root, "ci", "--prefix", compilers);
  cpSync(join(compilers, "package-lock.json"), installed);
}

before(async () => {
  await installCompilers();
  const { filename } = await pack(".", project.path);
  project.write("package.json", JSON.stringify({ name: "consumer", private: true }));
  await npm(project.path, "install", "--no-package-lock", join(project.path, filename));
  cpSync(consumer, join(project.path, "consumer.mts"));
});

after(() => project[Symbol.dispose]());

/** The types of Node that the project has from now on. */
function useTypes(name: string): void {
  const types = join(project.path, "node_modules/@types/node");
  mkdirSync(join(types, ".."), { recursive: true });
  rmSync(types, { force: true });
  symlinkSync(join(compilers, "node_modules", name), types);
}

const settings: readonly (readonly [name: string, options: object])[] = [
  ["exactOptionalPropertyTypes", { exactOptionalPropertyTypes: true }],
  ["no exactOptionalPropertyTypes and no DOM", { exactOptionalPropertyTypes: false, lib: ["ES2022"] }],
];

for (const compiler of ["typescript-5.6", "typescript-5.9", "typescript-6.0", "typescript-7.0"]) {
  for (const types of ["node-types-20", "node-types-newest"]) {
    test(`${compiler} with ${types} takes the declarations without skipLibCheck`, async () => {
      useTypes(types);
      const tsc = join(compilers, "node_modules", compiler, "bin/tsc");
      const outcomes = settings.map(async ([name, options], index) => {
        const configuration = `tsconfig.${index}.json`;
        project.write(
          configuration,
          JSON.stringify({
            compilerOptions: {
              target: "ES2022",
              module: "NodeNext",
              strict: true,
              noEmit: true,
              skipLibCheck: false,
              resolveJsonModule: true,
              types: ["node"],
              ...options,
            },
            files: ["consumer.mts"],
          }),
        );
        const { code, printed } = await run(process.execPath, [tsc, "-p", configuration], project.path);
        return { name, code, printed };
      });
      for (const outcome of await Promise.all(outcomes)) {
        assert.deepEqual(outcome, { name: outcome.name, code: 0, printed: "" });
      }
    });
  }
}

test("a wrong use does not compile against the declarations", async () => {
  useTypes("node-types-20");
  project.write(
    "wrong.mts",
    `import { makeSafetyLimits } from "portreeve";\nmakeSafetyLimits({ maxConections: 1 });\n`,
  );
  const tsc = join(compilers, "node_modules/typescript-7.0/bin/tsc");
  const args = [tsc, "--ignoreConfig", "--noEmit", "--strict", "--module", "NodeNext", "wrong.mts"];
  const { code, printed } = await run(process.execPath, args, project.path);
  assert.notEqual(code, 0);
  assert.match(printed, /maxConections/);
});
