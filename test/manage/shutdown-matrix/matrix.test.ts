/**
 * The shutdown matrix: what becomes of each kind of client, over each protocol, when its server drains. Every drain takes
 * at most delay + grace + 250 ms, always resolves, and reports what happened.
 */
import { describe, test } from "node:test";
import { http1Rows } from "./http1-rows.ts";
import { socketRows } from "./socket-rows.ts";
import { Stage } from "./stage.ts";
import { websocketRows } from "./websocket-rows.ts";

const rows = [...http1Rows, ...socketRows, ...websocketRows].map((row) => ({
  ...row,
  on: row.on.filter((p) => !/h2/.test(p)),
}));

describe("draining", { concurrency: 8 }, () => {
  for (const row of rows) {
    for (const protocol of row.on) {
      test(`${protocol}: ${row.name}`, { timeout: 20_000 }, async (t) => row.play(await Stage.set(t, protocol, row)));
    }
  }
});
