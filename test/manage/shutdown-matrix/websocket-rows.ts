/** The rows of the shutdown matrix about WebSockets. */
import assert from "node:assert/strict";
import { came, endedAtGrace, endedAtOnce } from "./stage.ts";
import type { Row } from "./stage.ts";
import { closeOpcode, framesOf, maskedFrame, open } from "./websocket.ts";

const webSockets = ["ws", "wss"] as const;
/** "Going away": RFC 6455, section 7.4.1. */
const goingAway = 1001;

export const websocketRows: readonly Row[] = [
  {
    name: "an open WebSocket is told 1001, and ends when the client says goodbye",
    on: webSockets,
    async play(stage) {
      const client = await stage.dial();
      await open(client);
      await stage.settles("upgraded", 1);
      const draining = stage.drain();
      await client.gets(/\x88[^]{2,}$/);
      client.write(maskedFrame(closeOpcode, framesOf(client).at(-1)?.payload ?? Buffer.alloc(0)));
      const outcome = await draining;
      endedAtOnce(outcome);
      came(outcome, { finished: 1 });
      await client.ended;
      const [, farewell] = framesOf(client);
      assert.equal(farewell?.opcode, closeOpcode);
      assert.equal(farewell?.payload.readUInt16BE(0), goingAway);
    },
  },
  {
    name: "an open WebSocket whose client does not answer 1001 is cut at the grace period",
    on: webSockets,
    async play(stage) {
      const client = await stage.dial();
      await open(client);
      await stage.settles("upgraded", 1);
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      came(outcome, { cut: ["drain-cut while upgraded"] });
      await client.ended;
      const [, farewell] = framesOf(client);
      assert.equal(farewell?.payload.readUInt16BE(0), goingAway);
    },
  },
];
