// Writes cli/portreeve.schema.json, by which editors know portreeve.config.json, from what the command reads; with
// --check, only says whether it is up to date. The packages must be built.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { toJsonSchema } from "@valibot/to-json-schema";

const project = join(import.meta.dirname, "..");
const file = join(project, "cli/portreeve.schema.json");
const { configSchema } = await import(join(project, "cli/dist/config-schema.js"));
const text = `${JSON.stringify(toJsonSchema(configSchema), null, 2)}\n`;

if (process.argv[2] !== "--check") writeFileSync(file, text);
else if (readFileSync(file, "utf8") !== text) {
  console.error("cli/portreeve.schema.json is not up to date: npm run build && node scripts/make-schema.js");
  process.exitCode = 1;
} else console.log("the schema of portreeve.config.json is up to date");
