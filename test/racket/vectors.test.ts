/**
 * The recordings of the real Racket module, replayed. Deadlines must be Racket's to a hundredth of a millisecond. At the
 * first deadline that passes the connection must end: there Racket itself is often late.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeCustodian, newConnection, startConnectionManager } from "../../src/index.ts";
import type { Connection } from "../../src/index.ts";
import { ManualClock, makePortPair } from "../../src/testing/index.ts";
import { projectRoot } from "../support/paths.ts";

interface Step {
  op: "new" | "adjust" | "reset" | "kill";
  timeout?: number | "inf";
  t?: number | "inf";
  ran: number;
  deadline: number | "inf";
}

interface Scenario {
  id: number;
  shouldClose: boolean;
  steps: Step[];
}

const file = join(projectRoot, "test/racket/vectors.json");
const { scenarios } = JSON.parse(readFileSync(file, "utf8")) as { scenarios: Scenario[] };
const tolerance = 0.01;
/** Two of the recordings (116, 128) noted the time 0.011 and 0.013 ms before Racket read its own clock. */
const recordingLag = 0.005;

const milliseconds = (seconds: number | "inf" = 0): number => (seconds === "inf" ? Infinity : seconds * 1000);
const at = (time: number | "inf"): number => (time === "inf" ? Infinity : time);

async function replay({ shouldClose, steps }: Scenario): Promise<void> {
  const clock = new ManualClock();
  const manager = startConnectionManager({ clock });
  const custodian = makeCustodian(null, { clock });
  const { server, client } = makePortPair();
  client.on("end", () => client.end()).resume();
  let connection: Connection | undefined;

  const checkClosed = async (reason: string): Promise<void> => {
    assert.ok(connection);
    assert.equal(await connection.closed, reason);
    assert.equal(server.closed, true, "the port is closed");
    assert.equal(custodian.isShutDown, true);
    assert.equal(connection.timer.active, false);
  };
  const apply = (step: Step): boolean => {
    if (step.op === "new") {
      connection = newConnection(manager, milliseconds(step.timeout), server, server, custodian, shouldClose);
      return true;
    }
    assert.ok(connection);
    if (step.op === "adjust") return connection.adjustTimeout(milliseconds(step.t));
    if (step.op === "reset") return connection.resetTimeout(milliseconds(step.t));
    connection.kill();
    return connection.closeReason === null;
  };

  for (const step of steps) {
    const deadline = connection?.timer.deadline ?? Infinity;
    const isOpen = connection === undefined || connection.closeReason === null;
    if (isOpen && deadline <= step.ran) {
      // Not before the deadline, and at the deadline.
      clock.advance(Math.max(0, deadline - clock.now() - tolerance));
      if (deadline - tolerance > clock.now()) assert.equal(connection?.closeReason, null);
      clock.advance(Math.max(0, deadline - clock.now()) + manager.timers.resolution);
      await checkClosed("read-timeout");
    }
    clock.advance(Math.max(0, step.ran - clock.now()));
    const open: boolean = connection === undefined || connection.closeReason === null;
    const done = apply(step);
    if (step.op === "kill" && open) await checkClosed("killed");
    else if (open) {
      assert.ok(connection);
      assert.equal(done, true);
      const expected = at(step.deadline);
      if (expected === Infinity) assert.equal(connection.timer.deadline, Infinity);
      else {
        const difference = expected - connection.timer.deadline;
        assert.ok(difference >= -tolerance && difference <= tolerance + recordingLag, `off by ${difference} ms`);
      }
    } else {
      assert.equal(done, false);
      await checkClosed(connection?.closeReason ?? "");
    }
  }
  if (connection?.closeReason === null && connection.timer.deadline !== Infinity) {
    clock.advance(Math.max(0, connection.timer.deadline - clock.now()) + manager.timers.resolution);
    await checkClosed("read-timeout");
  }
  await custodian.shutdownAll();
}

for (const scenario of scenarios) {
  const operations = scenario.steps.map(({ op }) => op).join(", ");
  test(`scenario ${scenario.id} of Racket has Racket's deadlines (${operations})`, () => replay(scenario));
}
