/** The rows of the shutdown matrix about sockets, whatever is spoken on them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { until } from "../../support/clients.ts";
import { kernelIsMute, seenByClient } from "../../support/kernel.ts";
import { answers, get } from "../../protocols/http1/web.ts";
import { came, endedAtGrace, endedAtOnce, endedWithWork } from "./stage.ts";
import type { Row, Stage } from "./stage.ts";

const http1 = ["http", "https"] as const;
const raw = ["net", "tls"] as const;

/** The error with which a new client is turned away. */
async function refusedWith({ port }: Stage): Promise<string | undefined> {
  const socket = connect(port, "127.0.0.1");
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  return error.code;
}

/** Something of the protocol's that is in flight for a while, and how it comes out. */
async function inFlight(stage: Stage): Promise<() => Promise<void>> {
  const client = await stage.dial();
  const isRaw = stage.protocol === "net" || stage.protocol === "tls";
  client.write(isRaw ? "hello" : get("/after/400"));
  await stage.begun(1);
  if (isRaw) {
    await client.gets(/hello/);
    // The client's own end finishes it.
    setTimeout(() => client.end(), 400);
    return async () => assert.equal(await client.all(), "hello");
  }
  return async () => assert.equal(answers(await client.all())[0]?.body, "whole");
}

/** Sends the beginning of what a TLS client says first. */
const halfAClientHello = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]);

export const socketRows: readonly Row[] = [
  {
    name: "a silent connection ends at once",
    on: ["http", "h2c", "net", "ws"],
    async play(stage) {
      const client = await stage.dialTcp();
      await stage.connected(1);
      const outcome = await stage.drain();
      endedAtOnce(outcome);
      came(outcome, { idle: 1 });
      const received = await client.all();
      // A server of HTTP/2 speaks as soon as it is spoken to.
      if (stage.protocol !== "h2c") assert.equal(received, "");
    },
  },
  {
    name: "a client without ClientHello, and one with half of it, end at once",
    on: ["https", "h2", "tls", "wss"],
    async play(stage) {
      const [silent, half] = [await stage.dialTcp(), await stage.dialTcp()];
      half.write(halfAClientHello);
      await stage.connected(2);
      await until(() => [...stage.managed.connections].some(({ bytesReceived }) => bytesReceived > 0));
      const outcome = await stage.drain();
      endedAtOnce(outcome);
      came(outcome, { idle: 2 });
      assert.deepEqual([await silent.all(), await half.all()], ["", ""]);
    },
  },
  {
    name: "a client that is silent after its handshake ends at once",
    on: ["https", "h2", "tls", "wss"],
    async play(stage) {
      const client = await stage.dial();
      await until(() => [...stage.managed.connections].some(({ raw }) => raw !== null));
      const outcome = await stage.drain();
      endedAtOnce(outcome);
      came(outcome, { idle: 1 });
      await client.ended;
    },
  },
  {
    name: "a reader that never reads is cut at the grace period, and sees a reset",
    on: [...http1, ...raw],
    async play(stage) {
      const client = await stage.dial();
      client.socket.pause();
      client.write(stage.protocol === "net" || stage.protocol === "tls" ? "big" : get("/big"));
      await stage.begun(1);
      // Until the kernel takes no more.
      await until(() => [...stage.managed.connections].some(({ unsentBytes }) => unsentBytes > 0));
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      assert.deepEqual(
        outcome.cut.map((cut) => cut.split(" ")[0]),
        ["drain-cut"],
      );
      if (kernelIsMute === false) assert.equal(seenByClient(client.socket.localPort ?? 0, stage.port), "RST");
    },
  },
  {
    name: "a new connection while draining is refused, and what is in flight finishes",
    on: [...http1, ...raw, "ws", "wss"],
    async play(stage) {
      const finish = await inFlight(stage);
      const draining = stage.drain();
      assert.equal(await refusedWith(stage), "ECONNREFUSED");
      const outcome = await draining;
      endedWithWork(outcome, 400);
      came(outcome, { finished: 1 });
      await finish();
    },
  },
  {
    name: "sockets are told by an event; who does not end by itself is cut at the grace period",
    on: raw,
    options: {
      onDrain({ output, bytesReceived }) {
        // One of them understands "bye"; the other says nothing more.
        if (bytesReceived > 0) output.write("bye");
      },
    },
    async play(stage) {
      const [polite, deaf] = [await stage.dial(), await stage.dial()];
      for (const client of [polite, deaf]) client.write("hello");
      await Promise.all([polite.gets(/hello/), deaf.gets(/hello/)]);
      await stage.begun(2);
      const left = polite.gets(/bye$/).then(() => polite.end());
      const outcome = await stage.drain();
      await left;
      endedAtGrace(outcome);
      came(outcome, { finished: 1, cut: ["drain-cut while handling"] });
      assert.equal(await deaf.all(), "hellobye");
    },
  },
  {
    name: "sockets end when the program ends them on being told",
    on: raw,
    options: { onDrain: ({ output }) => void output.end("bye") },
    async play(stage) {
      const client = await stage.dial();
      client.write("hello");
      await client.gets(/hello/);
      const outcome = await stage.drain();
      endedAtOnce(outcome);
      came(outcome, { finished: 1 });
      assert.equal(await client.all(), "hellobye");
    },
  },
];

/** Rows about servers that had clients before they were put under a manager. */
export const lateRows: readonly Row[] = [
  {
    name: "clients that were connected before are owned like the rest",
    on: [...http1, "ws", "wss"],
    attachesLate: true,
    async play(stage) {
      const [idle, silent, busy] = [await stage.dial(), await stage.dial(), await stage.dial()];
      idle.write(get("/"));
      await idle.gets(/ok$/);
      busy.write(get("/after/400"));
      await stage.begun(2);
      stage.attach();
      assert.equal(stage.managed.connections.size, 3);
      const outcome = await stage.drain();
      endedWithWork(outcome, 400);
      came(outcome, { idle: 2, finished: 1 });
      assert.match(await busy.all(), /whole$/);
      assert.deepEqual([await idle.ended, await silent.ended], ["FIN", "FIN"]);
    },
  },
  {
    name: "sockets that were connected before are told and cut like the rest",
    on: raw,
    attachesLate: true,
    async play(stage) {
      const accepted: Socket[] = [];
      stage.server.on("connection", (socket: Socket) => accepted.push(socket));
      const client = await stage.dial();
      client.write("hello");
      await client.gets(/hello$/);
      stage.attach();
      assert.equal(stage.managed.connections.size, 1);
      // It has talked before; that it goes on is what makes it more than silent.
      client.write("again");
      await client.gets(/again$/);
      const outcome = await stage.drain();
      endedAtGrace(outcome);
      came(outcome, { cut: ["drain-cut while handling"] });
      assert.ok(accepted.every(({ destroyed }) => destroyed));
    },
  },
];
