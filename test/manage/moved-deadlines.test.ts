import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { createServer as createHttp2, connect as connectHttp2 } from "node:http2";
import { createServer as createNet } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { connectionOf, manage, requestOf } from "../../src/index.ts";
import type { Connection, SafetyLimitsOptions } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { connectTo } from "../support/tcp-client.ts";
import { get, settle, until } from "../protocols/http1/web.ts";

interface Served {
  connection: Connection;
  /** What the program's handler was given. */
  subject: object;
  clock: ManualClock;
  /** Bytes that the server takes for progress. */
  progress(): void;
}

/** Each gives a connection in the middle of its work, whose handler does nothing by itself. */
const protocols: Record<string, (t: TestContext, limits: SafetyLimitsOptions) => Promise<Served>> = {
  async net(t, limits) {
    const subjects: Socket[] = [];
    const server = createNet((socket) => subjects.push(socket.on("data", () => {})));
    const { connection, clock, port } = await start(t, server, limits);
    const client = await connectTo(t, port);
    client.write("hello");
    await until(() => connection()?.bytesReceived === 5);
    // It is noticed by a look.
    clock.advance(250);
    assert.equal(connection()?.phase, "handling");
    return served(connection(), subjects[0], clock, () => client.write("more"));
  },
  async http(t, limits) {
    const subjects: object[] = [];
    const server = createHttp((request) => subjects.push(request.resume()));
    const { connection, clock, port } = await start(t, server, limits);
    const client = await connectTo(t, port);
    client.write(`${get("/").trimEnd()}\r\nContent-Length: 10000\r\n\r\n`.replace("GET", "POST"));
    await until(() => connection()?.phase === "handling");
    return served(connection(), subjects[0], clock, () => client.write("x".repeat(900)));
  },
  async h2c(t, limits) {
    const subjects: object[] = [];
    const server = createHttp2();
    server.on("stream", (stream) => subjects.push(stream.on("error", () => {}).resume()));
    const { connection, clock, port } = await start(t, server, limits);
    const session = connectHttp2(`http://127.0.0.1:${port}`).on("error", () => {});
    t.after(() => session.destroy());
    const upload = session.request({ ":method": "POST" }).on("error", () => {});
    await until(() => subjects.length === 1 && connection()?.phase === "handling");
    return served(connection(), subjects[0], clock, () => upload.write("x".repeat(900)));
  },
};

async function start(
  t: TestContext,
  server: Server | ReturnType<typeof createHttp2>,
  safetyLimits: SafetyLimitsOptions,
) {
  const clock = new ManualClock();
  const managed = manage(server, { clock, safetyLimits });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => managed.close());
  const connection = (): Connection | undefined => [...managed.connections][0];
  return { connection, clock, port: (server.address() as AddressInfo).port };
}

function served(
  connection: Connection | undefined,
  subject: object | undefined,
  clock: ManualClock,
  progress: () => void,
): Served {
  assert.ok(connection !== undefined && subject !== undefined);
  return { connection, subject, clock, progress };
}

// First in this process, which is told only once.
for (const [protocol, serve] of Object.entries(protocols)) {
  test(`${protocol}: a deadline of the program's own is not blamed on a limit that nobody chose`, async (t) => {
    const warnings: string[] = [];
    const hear = ({ message }: Error): unknown => warnings.push(message);
    process.on("warning", hear);
    t.after(() => process.off("warning", hear));
    for (const move of [connectionOf, protocol === "net" ? connectionOf : requestOf]) {
      const { subject, clock } = await serve(t, { minReceiveRate: 0 });
      move(subject)?.resetTimeout("5s");
      clock.advance("5s");
      await settle();
    }
    assert.deepEqual(warnings, []);
  });
}

for (const [protocol, serve] of Object.entries(protocols)) {
  test(`${protocol}: a deadline that the program moves to earlier ends the connection then, and no progress puts it off`, async (t) => {
    const { connection, subject, clock, progress } = await serve(t, {});
    assert.equal(connectionOf(subject)?.resetTimeout("5s"), true);
    for (let second = 0; second < 4; second++) {
      progress();
      await settle();
      clock.advance("1s");
    }
    assert.equal(connection.closeReason, null);
    clock.advance("1s");
    assert.notEqual(connection.closeReason, null);
    assert.equal(connection.resetTimeout("5s"), false, "too late");
  });

  test(`${protocol}: a deadline that the program moves to later holds until then`, async (t) => {
    const short = protocol === "net" ? "idleTimeout" : "responseTimeout";
    const { connection, clock } = await serve(t, { [short]: "2s", requestReadTimeout: "2s", minReceiveRate: 0 });
    connection.resetTimeout("5s");
    assert.equal(connection.adjustTimeout("1s"), true);
    clock.advance(5999);
    assert.equal(connection.closeReason, null);
    clock.advance(10);
    assert.notEqual(connection.closeReason, null);
  });
}
