// Lists what was skipped, by name and reason; with CI=true a skip fails the run.
import process from "node:process";

export default async function* skipReporter(events) {
  const skipped = [];
  for await (const { type, data } of events) {
    if ((type === "test:pass" || type === "test:fail") && data.skip !== undefined && data.skip !== false) {
      skipped.push(`${data.name} (${data.skip === true ? "no reason given" : data.skip})`);
    }
  }
  for (const line of skipped) yield `skipped: ${line}\n`;
  if (skipped.length > 0 && process.env.CI === "true") {
    yield `${skipped.length} skipped with CI=true: a skip is a failure\n`;
    process.exitCode = 1;
  }
}
