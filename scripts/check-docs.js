// Checks the documents: `node scripts/check-docs.js [folder]`, by default the project. The packages must be built.
//  1. Every ```ts and ```js example is compiled (strict) and run as it stands; it must end by itself, with exit code 0.
//     (The programs of docs/migrating, "js before" and "js after", wait for a signal: ci/frameworks runs those.)
//  2. Every ```ts example in a doc comment of the sources is compiled.
//  3. Every relative link leads to a file, and so does every docs/*.md that the sources name.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";

const project = new URL("..", import.meta.url).pathname;
const root = resolve(process.argv[2] ?? project);
const timeout = 20_000;
const faults = [];

/** The files below `folder` whose path ends with `ending`. */
function filesIn(folder, ending) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true })
    .map((file) => join(folder, file).replaceAll("\\", "/"))
    .filter((file) => file.endsWith(ending) && !/(^|\/)(node_modules|api)\//.test(file))
    .sort();
}

const documents = [
  ...readdirSync(root).filter((file) => file.endsWith(".md")),
  ...filesIn("docs", ".md"),
  ...filesIn("src", "README.md"),
  ...filesIn("cli", "README.md"),
];
const sources = [...filesIn("src", ".ts"), ...filesIn("cli/src", ".ts")];
const read = (file) => readFileSync(join(root, file), "utf8");

/** The fenced examples of a text, each with as many empty lines above it that its line numbers are those of the file. */
function examples(file, text, runs) {
  return [...text.matchAll(/^( \* )?```(ts|js)\n([^]*?)^( \* )?```$/gm)].map(([, star, language, code], index) => {
    const above = text.slice(0, text.indexOf(code)).split("\n").length - 1;
    const lines = star === undefined ? code : code.replaceAll(/^ \* ?/gm, "");
    const name = `${file.replaceAll(/\W/g, "-")}-${index + 1}.${language}`;
    return { file, line: above, language, name, runs, code: "\n".repeat(above) + lines };
  });
}

function compile(folder) {
  const configuration = {
    extends: join(project, "tsconfig.base.json"),
    compilerOptions: {
      rootDir: ".",
      outDir: "out",
      declaration: false,
      isolatedDeclarations: false,
      moduleDetection: "force",
      noUnusedLocals: false,
      noUnusedParameters: false,
      allowJs: true,
    },
    include: ["*.ts", "*.js"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(configuration));
  const tsc = join(project, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { cwd: folder, encoding: "utf8" });
  if (status !== 0) faults.push(`examples do not compile:\n${stdout}`);
}

/** Runs a program in an empty folder. @returns what is wrong, or null */
function run(program, folder) {
  mkdirSync(folder, { recursive: true });
  return new Promise((done) => {
    const child = spawn(process.execPath, [program], { cwd: folder, stdio: ["ignore", "pipe", "pipe"], timeout });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (printed += data));
    child.on("close", (code, signal) => {
      const how = signal === null ? `ended with exit code ${code}` : `did not end within ${timeout} ms`;
      done(code === 0 ? null : `${how}\n${printed}`);
    });
  });
}

async function checkExamples() {
  const found = [
    ...documents.flatMap((file) => examples(file, read(file), true)),
    ...sources.flatMap((file) => examples(file, read(file), false)),
  ];
  if (found.length === 0) return 0;
  // Inside the project, so that its packages are found.
  mkdirSync(join(project, ".build/docs"), { recursive: true });
  const folder = mkdtempSync(join(project, ".build/docs/examples-"));
  try {
    for (const { name, code } of found) writeFileSync(join(folder, name), code);
    compile(folder);
    for (const { file, line, name, runs } of found) {
      const program = join(folder, "out", name.replace(/\.ts$/, ".js"));
      const fault = runs && existsSync(program) ? await run(program, join(folder, "cwd", name)) : null;
      if (fault !== null) faults.push(`${file}:${line}: the example ${fault}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return found.length;
}

function checkLinks() {
  for (const file of documents) {
    for (const [, link] of read(file).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(link) || existsSync(join(root, dirname(file), link))) continue;
      faults.push(`${file}: the link ${link} leads nowhere`);
    }
  }
  for (const file of sources) {
    for (const [name] of read(file).matchAll(/\bdocs\/[\w-]+\.md\b/g)) {
      if (!existsSync(join(root, name))) faults.push(`${file}: ${name} does not exist`);
    }
  }
}

const count = await checkExamples();
checkLinks();
for (const fault of faults) console.error(fault);
console.log(`${documents.length} documents, ${count} examples, ${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;
