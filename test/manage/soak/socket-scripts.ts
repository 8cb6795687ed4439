/** Clients of plain sockets, of TLS, and of WebSockets. */
import assert from "node:assert/strict";
import { TcpClient } from "../../support/tcp-client.ts";
import { closeOpcode, framesOf, maskedFrame, open } from "../shutdown-matrix/websocket.ts";
import { staysDeaf } from "./script.ts";
import type { Script, Visit } from "./script.ts";

const plain = ["net", "tls"] as const;
const ws = ["ws"] as const;
const textOpcode = 1;
const goingAway = 1001;

/** Says something to the echo, and hears it. */
async function echoed({ socket }: Visit): Promise<TcpClient> {
  const client = new TcpClient(socket).write("hello");
  await client.gets(/^hello$/);
  return client;
}

const plainScripts: Script[] = [
  {
    name: "talks, then FIN",
    protocols: plain,
    reason: "client-ended",
    play: async (visit) => {
      const client = await echoed(visit);
      await client.write(" again").gets(/^hello again$/);
      assert.equal(await client.end().ended, "FIN");
    },
  },
  {
    name: "is hung up on",
    protocols: plain,
    reason: "completed",
    play: async (visit) => (await echoed(visit)).write("destroy").ended,
  },
  {
    name: "resets",
    protocols: plain,
    reason: "client-reset",
    play: async (visit) => {
      await echoed(visit);
      await visit.reset();
    },
  },
  {
    name: "sends no TLS",
    protocols: ["tls", "https"],
    reason: "protocol-error",
    raw: true,
    play: ({ socket }) => new TcpClient(socket).write("GET / HTTP/1.1\r\n\r\n").ended,
  },
  {
    name: "says nothing below TLS",
    protocols: ["tls", "https"],
    group: "handshake",
    reason: "handshake-timeout",
    raw: true,
    play: ({ socket }) => new TcpClient(socket).ended,
  },
  {
    name: "says nothing at all",
    protocols: plain,
    group: "reading",
    reason: "read-timeout",
    play: ({ socket }) => new TcpClient(socket).ended,
  },
  {
    name: "goes quiet",
    protocols: plain,
    group: "idle",
    reason: "idle-timeout",
    play: async (visit) => assert.equal(await (await echoed(visit)).ended, "FIN"),
  },
  {
    name: "is deaf",
    protocols: plain,
    group: "sending",
    reason: "send-timeout",
    heavy: true,
    play: (visit) => {
      new TcpClient(visit.socket).write("big");
      return staysDeaf(visit);
    },
  },
  {
    name: "is in the middle of something in the drain",
    protocols: plain,
    reason: "drain-cut",
    drain: "cut",
    play: async (visit) => (await echoed(visit)).write("hold").ended,
  },
];

async function upgraded({ socket }: Visit): Promise<TcpClient> {
  const client = new TcpClient(socket);
  await open(client);
  return client;
}

/** The code with which the server has closed. */
function closeCode(client: TcpClient): number | undefined {
  const last = framesOf(client).at(-1);
  return last?.opcode === closeOpcode ? last.payload.readUInt16BE(0) : undefined;
}

const webSocketScripts: Script[] = [
  {
    name: "talks, then says goodbye",
    protocols: ws,
    reason: "client-ended",
    play: async (visit) => {
      const client = await upgraded(visit);
      for (const word of ["one", "two", "three"]) {
        await client.write(maskedFrame(textOpcode, Buffer.from(word))).gets(new RegExp(`${word}$`));
      }
      assert.equal(await client.write(maskedFrame(closeOpcode, Buffer.of(3, 232))).ended, "FIN");
    },
  },
  {
    name: "resets",
    protocols: ws,
    reason: "client-reset",
    play: async (visit) => {
      await upgraded(visit);
      await visit.reset();
    },
  },
  {
    name: "is mute",
    protocols: ws,
    group: "upgraded",
    reason: "upgraded-timeout",
    play: async (visit) => {
      const client = new TcpClient(visit.socket);
      // The goodbye may come together with the greeting.
      await Promise.allSettled([open(client), client.ended]);
      assert.equal(await client.ended, "FIN");
      assert.equal(closeCode(client), goingAway);
    },
  },
  {
    name: "is not let in",
    protocols: ws,
    group: "handling",
    reason: "response-timeout",
    play: async ({ socket }) => {
      const client = new TcpClient(socket).write(
        "GET /never HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      );
      assert.equal(await client.ended, "FIN");
      assert.match(client.received, /^HTTP\/1\.1 503 /);
    },
  },
  {
    name: "is deaf",
    protocols: ws,
    group: "sending",
    reason: "send-timeout",
    heavy: true,
    play: async (visit) => {
      const client = await upgraded(visit);
      client.write(maskedFrame(textOpcode, Buffer.from("big")));
      await staysDeaf(visit);
    },
  },
  {
    name: "says goodbye in the drain",
    protocols: ws,
    reason: "drained",
    drain: "finished",
    play: async (visit) => {
      const client = await upgraded(visit);
      await client.write(maskedFrame(textOpcode, Buffer.from("hold"))).gets(/\x88[^]{3}$/);
      assert.equal(closeCode(client), goingAway);
      await client.write(maskedFrame(closeOpcode, Buffer.of(3, 233))).end().ended;
    },
  },
  {
    name: "stays in the drain",
    protocols: ws,
    reason: "drain-cut",
    drain: "cut",
    play: async (visit) => {
      const client = await upgraded(visit);
      await client.write(maskedFrame(textOpcode, Buffer.from("hold"))).ended;
      assert.equal(closeCode(client), goingAway);
    },
  },
];

export const socketScripts: readonly Script[] = [...plainScripts, ...webSocketScripts];
