/**
 * The shutdown matrix: what becomes of each kind of client, over each protocol, when its server drains. Every drain takes
 * at most delay + grace + 250 ms, always resolves, and reports what happened.
 */
import { describe, test } from "node:test";
import { deadlineRows } from "./deadline-rows.ts";
import { http1Rows } from "./http1-rows.ts";
import { http2Rows, lateHttp2Rows } from "./http2-rows.ts";
import { lateRows, socketRows } from "./socket-rows.ts";
import { undisturbed } from "../../support/pauses.ts";
import { Stage } from "./stage.ts";
import { lateWebsocketRows, websocketRows } from "./websocket-rows.ts";

const rows = [
  ...http1Rows,
  ...http2Rows,
  ...socketRows,
  ...websocketRows,
  ...deadlineRows,
  ...lateRows,
  ...lateHttp2Rows,
  ...lateWebsocketRows,
];

void describe("draining", { concurrency: 6 }, () => {
  for (const row of rows) {
    for (const protocol of row.on) {
      test(`${protocol}: ${row.name}`, { timeout: 60_000 }, (t) =>
        undisturbed(t, async () => row.play(await Stage.set(t, protocol, row))),
      );
    }
  }
});
