import assert from "node:assert/strict";
import { openSync, closeSync } from "node:fs";
import { once } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { manage, requestOf } from "../../../src/index.ts";
import { data, frame, frameTypes, preface, request, reset, settings, settingsAck } from "../../support/http2-frames.ts";
import { connectTo } from "../../support/tcp-client.ts";
import type { TcpClient } from "../../support/tcp-client.ts";
import { settle, startWeb, until } from "./web.ts";

const page = fileURLToPath(import.meta.url);
const begun = Buffer.concat([preface, settings(), settingsAck]);

/**
 * Answers in every way there is, as a program does that has not looked whether the client is still there. What it gets wrong by
 * itself, such as answering twice, is its own affair.
 */
function goOn(stream: ServerHttp2Stream): unknown[] {
  const errors: unknown[] = [];
  const file = openSync(page, "r");
  const ways: (() => void)[] = [
    () => stream.additionalHeaders({ ":status": 103 }),
    () => stream.respond({ ":status": 200 }),
    () => stream.respondWithFD(file, { ":status": 200 }),
    () => stream.respondWithFile(page, { ":status": 200 }),
    () => stream.sendTrailers({ after: "all" }),
  ];
  for (const way of ways) {
    try {
      way();
    } catch (error) {
      if (!stream.headersSent || (error as NodeJS.ErrnoException).code === "ERR_HTTP2_INVALID_STREAM")
        errors.push(error);
    }
  }
  closeSync(file);
  return errors;
}

/** Sees to it that `answer` is called. */
type Moment = (stream: ServerHttp2Stream, answer: () => void) => unknown;

const moments: Record<string, Moment> = {
  "as soon as it hears of it": (stream, answer) => stream.on("aborted", answer),
  "when its request's signal aborts": (stream, answer) => requestOf(stream).signal.addEventListener("abort", answer),
  "while it still has to read what came": (stream, answer) => {
    stream.pause();
    stream.on("aborted", () => setImmediate(answer));
  },
  "when the stream is closed": (stream, answer) => stream.on("close", answer),
  "long after the stream was closed": (stream, answer) => stream.on("close", () => setTimeout(answer, 1)),
};

const departures: Record<string, (client: TcpClient) => unknown> = {
  "resets its stream without an error": (client) => client.write(reset(1, 0)),
  "resets its stream with an error": (client) => client.write(reset(1, 2)),
  "cancels its stream": (client) => client.write(reset(1, 8)),
  "leaves with an error": (client) =>
    client.write(frame(frameTypes.goaway, { payload: Buffer.from("0000000000000002", "hex") })),
  "resets its connection": (client) => client.socket.resetAndDestroy(),
};

const requests: Record<string, Buffer> = {
  "without a body": request(1),
  "with a body": Buffer.concat([request(1, { method: "POST", end: false }), data(1, "half")]),
};

for (const [departure, depart] of Object.entries(departures)) {
  for (const [moment, arrange] of Object.entries(moments)) {
    for (const [kind, bytes] of Object.entries(requests)) {
      test(`a client ${departure}, ${kind}, and a program may answer ${moment}`, async (t) => {
        const answered: unknown[][] = [];
        let came = false;
        const web = await startWeb(t, "h2c", (stream) => {
          arrange(stream, () => answered.push(goOn(stream)));
          came = true;
        });
        const client = await web.raw();
        client.write(Buffer.concat([begun, bytes]));
        await until(() => came);
        await settle();
        depart(client);
        await settle();
        await web.pass(500);
        await until(() => answered.length > 0);
        assert.deepEqual(answered, [[]]);
        assert.deepEqual(web.errors, []);
      });
    }
  }
}

for (const [departure, depart] of Object.entries(departures)) {
  test(`a client ${departure}, and a program that still has its trailers to send may send them`, async (t) => {
    let held: ServerHttp2Stream | undefined;
    let wants = false;
    const web = await startWeb(t, "h2c", (stream) => {
      held = stream;
      stream.on("wantTrailers", () => (wants = true));
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.end("all");
    });
    const client = await web.raw();
    client.write(Buffer.concat([begun, request(1, { method: "POST", end: false })]));
    await until(() => wants);
    depart(client);
    await until(() => held?.closed === true || held?.destroyed === true);
    held?.sendTrailers({ after: "all" });
    await settle();
    assert.deepEqual(web.errors, []);
  });
}

test("a client resets its stream in the same breath as it begins it, and a program may answer", async (t) => {
  const answered: unknown[][] = [];
  const server = createHttp2Server();
  const web = await startWeb(t, "h2c", (stream) => setImmediate(() => answered.push(goOn(stream))), { server });
  // What has come already is parsed whole, before anybody hears of a stream.
  const front = createServer((socket) => {
    socket.once("readable", () => {
      socket.unshift(socket.read());
      server.emit("connection", socket);
    });
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  t.after(() => front.close());
  const client = await connectTo(t, (front.address() as AddressInfo).port);
  client.write(Buffer.concat([begun, requests["with a body"] ?? Buffer.alloc(0), reset(1, 0)]));
  await until(() => answered.length > 0);
  assert.deepEqual(answered, [[]]);
  assert.deepEqual(web.errors, []);
});

for (const before of ["was not managed yet", "was managed by another, who let go of it"]) {
  test(`a client resets its stream while its server ${before}, and a program may answer`, async (t) => {
    let held: ServerHttp2Stream | undefined;
    const server = createHttp2Server().on("stream", (stream) => (held = stream.pause()));
    const earlier = before === "was not managed yet" ? null : manage(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = await connectTo(t, (server.address() as AddressInfo).port);
    client.write(Buffer.concat([begun, requests["with a body"] ?? Buffer.alloc(0)]));
    await until(() => held !== undefined);
    client.write(reset(1, 0));
    await until(() => held?.closed === true);
    earlier?.detach();
    const managed = manage(server);
    assert.equal(held?.destroyed, false);
    assert.deepEqual(goOn(held), []);
    await managed.close();
  });
}
