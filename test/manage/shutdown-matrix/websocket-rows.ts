/** The rows of the shutdown matrix about WebSockets. */
import assert from "node:assert/strict";
import type { Server } from "node:http";
import { WebSocketServer } from "ws";
import { until } from "../../support/clients.ts";
import { kernelIsMute, seenByClient } from "../../support/kernel.ts";
import type { TcpClient } from "../../support/tcp-client.ts";
import { came, endedAtGrace, endedAtOnce } from "./stage.ts";
import type { Row, Stage } from "./stage.ts";
import { closeOpcode, framesOf, maskedFrame, open, textOpcode } from "./websocket.ts";

const webSockets = ["ws", "wss"] as const;
/** "Going away": RFC 6455, section 7.4.1. */
const goingAway = 1001;

/** The client is told that the server goes away, and says goodbye. */
async function saysGoodbye(client: TcpClient): Promise<void> {
  await client.gets(/\x88[^]{2,}$/);
  client.write(maskedFrame(closeOpcode, framesOf(client).at(-1)?.payload ?? Buffer.alloc(0)));
}

/** The first that a client was told after the greeting is that the server goes away. */
async function wasToldToGo(client: TcpClient): Promise<void> {
  await client.ended;
  const [, farewell] = framesOf(client);
  assert.equal(farewell?.opcode, closeOpcode);
  assert.equal(farewell?.payload.readUInt16BE(0), goingAway);
}

/** From now on the library ws accepts who comes, and greets. */
function acceptByLibrary(stage: Stage): void {
  stage.server.removeAllListeners("upgrade");
  new WebSocketServer({ server: stage.server as Server }).on("connection", (peer) => peer.send("hello"));
}

export const websocketRows: readonly Row[] = [
  {
    name: "an open WebSocket is told 1001, and ends when the client says goodbye",
    on: webSockets,
    async play(stage) {
      const client = await stage.dial();
      await open(client);
      await stage.settles("upgraded", 1);
      const draining = stage.drain();
      await saysGoodbye(client);
      const outcome = await draining;
      endedAtOnce(outcome);
      came(outcome, { finished: 1 });
      await wasToldToGo(client);
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
      await wasToldToGo(client);
    },
  },
  {
    name: "an open WebSocket whose client never reads is cut at the grace period, and sees a reset",
    on: webSockets,
    async play(stage) {
      const client = await stage.dial();
      await open(client);
      client.socket.pause();
      client.write(maskedFrame(textOpcode, Buffer.from("big")));
      // Until the kernel takes no more.
      await until(() => [...stage.managed.connections].some(({ unsentBytes }) => unsentBytes > 0));
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      came(outcome, { cut: ["drain-cut while upgraded"] });
      if (kernelIsMute === false) assert.equal(seenByClient(client.socket.localPort ?? 0, stage.port), "RST");
    },
  },
];

/** Rows about servers that had WebSockets before they were put under a manager. */
export const lateWebsocketRows: readonly Row[] = [
  {
    name: "WebSockets of the library ws that were open before are told 1001; who does not answer is cut at the grace period",
    on: webSockets,
    attachesLate: true,
    async play(stage) {
      acceptByLibrary(stage);
      const [polite, deaf] = [await stage.dial(), await stage.dial()];
      for (const client of [polite, deaf]) await open(client);
      stage.attach();
      await stage.settles("upgraded", 2);
      const draining = stage.drain();
      await saysGoodbye(polite);
      const outcome = await draining;
      endedAtGrace(outcome);
      came(outcome, { finished: 1, cut: ["drain-cut while upgraded"] });
      for (const client of [polite, deaf]) await wasToldToGo(client);
    },
  },
  {
    name: "WebSockets of the library ws that were open before and all say goodbye end the drain at once",
    on: webSockets,
    attachesLate: true,
    async play(stage) {
      acceptByLibrary(stage);
      const client = await stage.dial();
      await open(client);
      stage.attach();
      const draining = stage.drain();
      await saysGoodbye(client);
      const outcome = await draining;
      endedAtOnce(outcome);
      came(outcome, { finished: 1 });
      await wasToldToGo(client);
    },
  },
  {
    name: "WebSockets that were open before, of which nothing tells, hear nothing and are cut at the grace period",
    on: webSockets,
    attachesLate: true,
    async play(stage) {
      const client = await stage.dial();
      await open(client);
      stage.attach();
      await stage.settles("upgraded", 1);
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      came(outcome, { cut: ["drain-cut while upgraded"] });
      await client.ended;
      assert.equal(framesOf(client).length, 1);
    },
  },
];
