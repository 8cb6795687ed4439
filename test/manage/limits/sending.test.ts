/**
 * Limits on sending: a client that does not take what it asked for, or too slowly, is reset, so that the kernel keeps
 * nothing; a handler that falls silent is cut; those that may be silent or go on steadily live.
 */
import assert from "node:assert/strict";
import type { RequestListener, ServerResponse } from "node:http";
import { test } from "node:test";
import type { TcpClient } from "../../support/tcp-client.ts";
import { get, settle, until } from "../../protocols/http1/web.ts";
import { deafClients, off } from "./deaf-clients.ts";
import { endsAfter, look, resolution, seesEnd, startScene, webProtocols } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** More than the kernel takes for a client that does not read. */
const big = Buffer.alloc(32 * 2 ** 20);
const answerBig: RequestListener = (_request, response) => response.end(big);

/** Asks, and waits until the kernel takes no more of the answer. */
async function askAndDoNotRead(client: TcpClient, scene: Scene): Promise<void> {
  client.socket.pause();
  client.write(get("/"));
  await until(() => scene.server.connections.size === 1 && scene.only().unsentBytes > 0);
  await settle();
  // The first look sees what has left already.
  await scene.pass(2 * look);
}

/** Ended by a reset, with nothing left to wait for. */
async function isReset(scene: Scene, client: TcpClient, ending: string): Promise<void> {
  await seesEnd(scene, client, "RST");
  await until(() => scene.endings().length === 1);
  assert.deepEqual(scene.endings(), [ending]);
  assert.deepEqual(scene.errors, []);
}

for (const protocol of webProtocols) {
  for (const { name, limits, after, ending } of deafClients) {
    test(`${protocol}: ${name}: a client that takes nothing is reset, with the response in flight`, async (t) => {
      const scene = await startScene(t, protocol, answerBig, limits);
      const client = await scene.dial();
      await askAndDoNotRead(client, scene);
      const connection = scene.only();
      // Up to two looks have passed already.
      await endsAfter(scene, connection, after - 2 * look, 3 * look);
      await isReset(scene, client, `${ending} while sending`);
    });
  }

  test(`${protocol}: without these limits nobody is cut, however long it takes`, async (t) => {
    const scene = await startScene(t, protocol, answerBig, off);
    const client = await scene.dial();
    await askAndDoNotRead(client, scene);
    for (let minute = 0; minute < 10; minute++) await scene.pass(60_000);
    assert.equal(scene.only().closeReason, null);
    client.socket.resume();
    await until(() => client.received.length > big.length);
  });

  test(`${protocol}: maxBufferedBytes: less may wait for as long as the other limits let it`, async (t) => {
    const scene = await startScene(t, protocol, answerBig, { ...off, maxBufferedBytes: big.length * 2 });
    const client = await scene.dial();
    await askAndDoNotRead(client, scene);
    for (let minute = 0; minute < 10; minute++) await scene.pass(60_000);
    assert.equal(scene.only().closeReason, null);
  });

  test(`${protocol}: responseSendTimeout: a client that takes a little now and then is not cut`, async (t) => {
    const scene = await startScene(t, protocol, answerBig, { ...off, responseSendTimeout: "4s" });
    const client = await scene.dial();
    await askAndDoNotRead(client, scene);
    const connection = scene.only();
    for (let i = 0; i < 8; i++) {
      const { length } = client.received;
      client.socket.resume();
      await until(() => client.received.length > length + 2_000_000);
      client.socket.pause();
      await scene.pass(3000);
    }
    assert.equal(connection.closeReason, null, "progress restarts it");
    await endsAfter(scene, connection, 500, 4000);
  });

  test(`${protocol}: responseSendTimeout: what the program goes on writing is no progress of a client that takes nothing`, async (t) => {
    let response: ServerResponse | undefined;
    const handler: RequestListener = (_request, answer) => {
      response = answer.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write(big);
    };
    const scene = await startScene(t, protocol, handler, { ...off, responseSendTimeout: "4s" });
    const client = await scene.dial();
    await askAndDoNotRead(client, scene);
    const connection = scene.only();
    for (let second = 0; second < 6 && connection.closeReason === null; second++) {
      // Text of which each character is three bytes: a socket counts those that wait in characters.
      response?.write("€".repeat(1000));
      await scene.pass(1000);
    }
    await isReset(scene, client, "send-timeout by responseSendTimeout while sending");
  });

  test(`${protocol}: responseSendTimeout: a handler that falls silent is cut, and has a reason of its own`, async (t) => {
    const scene = await startScene(t, protocol, (_request, response) => void response.write("begun"), {
      responseSendTimeout: "4s",
    });
    const client = await scene.dial();
    client.write(get("/"));
    await client.gets(/begun\r\n$/);
    await scene.pass(look);
    await scene.reaches("sending");
    const connection = scene.only();
    await endsAfter(scene, connection, 4000 - look, 3 * look);
    await isReset(scene, client, "response-stalled by responseSendTimeout while sending");
  });

  for (const type of [
    "text/event-stream",
    "text/event-stream; charset=utf-8",
    "application/grpc",
    "application/grpc+proto",
  ]) {
    test(`${protocol}: responseSendTimeout: ${type} may be silent, and is answered to its end`, async (t) => {
      let response: ServerResponse | undefined;
      const handler: RequestListener = (_request, answer) => {
        response = answer;
        answer.writeHead(200, { "Content-Type": type }).write("begun");
      };
      const scene = await startScene(t, protocol, handler, { responseSendTimeout: "4s" });
      const client = await scene.dial();
      client.write(get("/"));
      await client.gets(/begun\r\n$/);
      for (let second = 0; second < 90; second++) await scene.pass(1000);
      assert.equal(scene.only().closeReason, null);
      response?.end("ended");
      await client.gets(/ended\r\n0\r\n\r\n$/);
    });
  }

  test(`${protocol}: responseSendTimeout: a handler that sends a little now and then is not cut`, async (t) => {
    let response: ServerResponse | undefined;
    const scene = await startScene(t, protocol, (_request, answer) => void (response = answer).write("begun"), {
      responseSendTimeout: "4s",
      responseTimeout: "4s",
    });
    const client = await scene.dial();
    client.write(get("/"));
    await client.gets(/begun\r\n$/);
    for (let i = 0; i < 10; i++) {
      await scene.pass(3500);
      response?.write(`part ${i}`);
    }
    response?.end("ended");
    await client.gets(/part 9[^]*ended\r\n0\r\n\r\n$/);
    assert.equal(scene.only().closeReason, null);
  });

  for (const [pace, lives] of [
    [300, true],
    [180, false],
  ] as const) {
    test(`${protocol}: minReceiveRate of 240 B/s: a body that comes with ${pace} B/s ${lives ? "lives" : "gets 408"}`, async (t) => {
      const length = 60 * pace;
      const handler: RequestListener = (request, response) => {
        request
          .on("error", () => {})
          .resume()
          .on("end", () => response.end("whole"));
      };
      const scene = await startScene(t, protocol, handler, { requestReadTimeout: "1h", responseTimeout: "2s" });
      const client = await scene.dial();
      client.write(get("/", `Content-Length: ${length}`).replace("GET", "POST"));
      await scene.reaches("handling");
      const connection = scene.only();
      let seconds = 0;
      for (; seconds < 60 && connection.closeReason === null; seconds++) {
        client.write("x".repeat(pace));
        await until(() => connection.closeReason !== null || connection.bytesReceived >= (seconds + 1) * pace);
        for (let i = 0; i < 4; i++) await scene.pass(250);
      }
      if (lives) {
        await client.gets(/whole$/);
        assert.equal(seconds, 60);
        return;
      }
      assert.ok(seconds > 5 && seconds < 12, `after its grace of 5 s: ${seconds} s`);
      await seesEnd(scene, client, "FIN");
      assert.match(await client.all(), /^HTTP\/1\.1 408 /);
      client.end();
      await until(() => scene.endings().length === 1);
      assert.deepEqual(scene.endings(), ["receive-rate by minReceiveRate while handling"]);
    });
  }

  test(`${protocol}: a client that has left no bytes behind is not judged by what it took`, async (t) => {
    const scene = await startScene(t, protocol, (_request, response) => response.end("ok"), {
      ...off,
      minSendRate: { bytesPerSecond: 1_000_000, grace: 0 },
      responseSendTimeout: "1s",
    });
    const client = await scene.dial();
    client.write(get("/"));
    await client.gets(/ok$/);
    await scene.reaches("idle");
    await scene.pass(30_000 + resolution);
    assert.equal(scene.only().closeReason, null);
  });
}
