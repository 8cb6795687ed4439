/**
 * The rows of the shutdown matrix about deadlines: they stay in force in a drain, and end what would else last until the grace
 * period.
 */
import assert from "node:assert/strict";
import type { ManageOptions, SafetyLimitsOptions } from "../../../src/index.ts";
import { until } from "../../support/clients.ts";
import { FrameClient } from "../../support/frame-client.ts";
import { windowUpdate } from "../../support/http2-frames.ts";
import { kernelIsMute, seenByClient } from "../../support/kernel.ts";
import type { TcpClient } from "../../support/tcp-client.ts";
import { get } from "../../protocols/http1/web.ts";
import { look, refusalOf } from "../limits/scene.ts";
import { came, endedWithWork } from "./stage.ts";
import type { Row, Stage } from "./stage.ts";

const http1 = ["http", "https"] as const;
const http2 = ["h2", "h2c"] as const;
const raw = ["net", "tls"] as const;

/** Milliseconds; much less than the grace period. */
const deadline = 300;

const limit = (name: keyof SafetyLimitsOptions): ManageOptions => ({ safetyLimits: { [name]: deadline } });

/** A session of HTTP/2 that has begun. */
async function meet(stage: Stage): Promise<FrameClient> {
  const client = new FrameClient((await stage.dial()).socket);
  client.hello();
  await stage.settles("idle", 1);
  return client;
}

/** More is on its way than the client's kernel takes. */
async function takesNothing(stage: Stage, client: TcpClient): Promise<void> {
  client.socket.pause();
  client.write(raw.some((name) => name === stage.protocol) ? "big" : get("/big"));
  await stage.begun(1);
  await until(() => [...stage.managed.connections].some(({ unsentBytes }) => unsentBytes > 0));
}

export const deadlineRows: readonly Row[] = [
  {
    name: "an upload that stalls ends at requestReadTimeout, before the grace period: 408",
    on: http1,
    options: limit("requestReadTimeout"),
    async play(stage) {
      const client = await stage.dial();
      client.write("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
      await stage.begun(1);
      const outcome = await stage.drain();
      endedWithWork(outcome, deadline);
      came(outcome, { cut: ["read-timeout while handling"] });
      assert.equal(await client.all(), refusalOf(408));
    },
  },
  {
    name: "an upload that stalls ends at requestReadTimeout, before the grace period: 408, and the session with it",
    on: http2,
    options: limit("requestReadTimeout"),
    async play(stage) {
      const client = await meet(stage);
      client.post(1, "/upload", "half");
      await stage.begun(1);
      const outcome = await stage.drain();
      endedWithWork(outcome, deadline + look);
      came(outcome, { cut: ["read-timeout while handling"] });
      await client.ended;
      assert.deepEqual([client.fate(1), client.farewells], ["408, ended, reset NO_ERROR", ["last 1, NO_ERROR"]]);
    },
  },
  {
    name: "a handler that never answers ends at responseTimeout, before the grace period: 503",
    on: http1,
    options: limit("responseTimeout"),
    async play(stage) {
      const client = await stage.dial();
      client.write(get("/never"));
      await stage.begun(1);
      const outcome = await stage.drain();
      endedWithWork(outcome, deadline);
      came(outcome, { cut: ["response-timeout while handling"] });
      assert.equal(await client.all(), refusalOf(503));
    },
  },
  {
    name: "a handler that never answers ends at responseTimeout, before the grace period: 503, and the session with it",
    on: http2,
    options: limit("responseTimeout"),
    async play(stage) {
      const client = await meet(stage);
      client.get(1, "/never");
      await stage.begun(1);
      const outcome = await stage.drain();
      endedWithWork(outcome, deadline + look);
      came(outcome, { cut: ["response-timeout while handling"] });
      await client.ended;
      assert.deepEqual([client.fate(1), client.farewells], ["503, ended", ["last 1, NO_ERROR"]]);
    },
  },
  {
    name: "a response that begins and falls silent is cut at responseSendTimeout, before the grace period",
    on: http1,
    options: limit("responseSendTimeout"),
    async play(stage) {
      const client = await stage.dial();
      client.write(get("/endless"));
      await stage.settles("sending", 1);
      const outcome = await stage.drain();
      endedWithWork(outcome, deadline + look);
      came(outcome, { cut: ["response-stalled while sending"] });
      await client.ended;
    },
  },
  {
    name: "a reader that never reads is reset at responseSendTimeout, before the grace period",
    on: [...http1, ...raw],
    options: limit("responseSendTimeout"),
    async play(stage) {
      const client = await stage.dial();
      await takesNothing(stage, client);
      const outcome = await stage.drain();
      endedWithWork(outcome, deadline + look);
      came(outcome, {
        cut: [`send-timeout while ${raw.some((name) => name === stage.protocol) ? "handling" : "sending"}`],
      });
      if (kernelIsMute === false) assert.equal(seenByClient(client.socket.localPort ?? 0, stage.port), "RST");
    },
  },
  {
    name: "a stream whose window stays closed is cut at responseSendTimeout, before the grace period, and the session ends",
    on: http2,
    options: limit("responseSendTimeout"),
    async play(stage) {
      const client = await meet(stage);
      client.get(1, "/big");
      // As much as the first window takes.
      await client.sees(1, "200 65535 bytes");
      const outcome = await stage.drain();
      endedWithWork(outcome, deadline + look);
      came(outcome, { cut: ["send-timeout while sending"] });
      await client.ended;
      assert.deepEqual([client.fate(1), client.farewells], ["200 65535 bytes, reset CANCEL", ["last 1, NO_ERROR"]]);
    },
  },
  {
    name: "a session whose socket takes nothing is reset at responseSendTimeout, before the grace period",
    on: http2,
    options: limit("responseSendTimeout"),
    async play(stage) {
      const client = new FrameClient((await stage.dial()).socket);
      // No window of HTTP/2 is in the way.
      client.hello({ 4: 2 ** 31 - 1 }).write(windowUpdate(0, 2 ** 30));
      await stage.settles("idle", 1);
      client.socket.pause();
      client.get(1, "/big");
      await stage.begun(1);
      await until(() => [...stage.managed.connections].some(({ unsentBytes }) => unsentBytes > 0));
      const outcome = await stage.drain();
      endedWithWork(outcome, deadline + look);
      came(outcome, { cut: ["send-timeout while handling"] });
      if (kernelIsMute === false) assert.equal(seenByClient(client.socket.localPort ?? 0, stage.port), "RST");
    },
  },
];
