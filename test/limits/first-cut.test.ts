import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

/** Runs a program that cuts clients off in a process of its own, and gives what it warned of. */
function warningsOf(limits: string, cuts: number): string[] {
  const connection = new URL("../../src/connection/connection-manager.js", import.meta.url).href;
  const custodian = new URL("../../src/custodian/index.js", import.meta.url).href;
  const testing = new URL("../../src/testing/index.js", import.meta.url).href;
  const program = `
    import { startConnectionManager } from ${JSON.stringify(connection)};
    import { makeCustodian } from ${JSON.stringify(custodian)};
    import { ManualClock, makePortPair } from ${JSON.stringify(testing)};
    process.on("warning", (warning) => console.log(warning.name + " " + warning.message));
    const clock = new ManualClock();
    const manager = startConnectionManager({ clock, safetyLimits: ${limits} });
    for (let i = 0; i < ${cuts}; i++) {
      const { server, client } = makePortPair();
      client.on("error", () => {});
      manager.open(manager.safetyLimits.requestReadTimeout, server, server, makeCustodian(null, { clock }), false);
    }
    clock.advance("2m");
  `;
  const run = spawnSync(process.execPath, ["--no-warnings", "--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout.split("\n").filter((line) => line !== "");
}

test("the first client cut off by a limit that nobody chose is said, once, with how to raise it", () => {
  const warnings = warningsOf("{}", 3);
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0] ?? "",
    /^PortreeveLimitWarning .*requestReadTimeout.*60000.*safetyLimits: \{ requestReadTimeout/,
  );
});

test("a limit that was chosen cuts without a word", () => {
  assert.deepEqual(warningsOf('{ requestReadTimeout: "59s" }', 3), []);
});
