/**
 * Limits on sending of HTTP/2: a client that opens its windows and then takes nothing from its kernel is reset, below TLS, so
 * that the kernel keeps nothing; the session ends with all of its streams.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FrameClient } from "../../support/frame-client.ts";
import { windowUpdate } from "../../support/http2-frames.ts";
import { kinds, settle, until } from "../../protocols/http2/web.ts";
import { deafClients, off } from "./deaf-clients.ts";
import { startHttp2 } from "./http2-scene.ts";
import type { Http2Scene } from "./http2-scene.ts";
import { endsAfter, look, seesEnd } from "./scene.ts";

/** More than is ever sent here. */
const wide = 2 ** 30;

/** Asks with windows wide open, and waits until the kernel takes no more of the answer. */
async function askAndDoNotRead(scene: Http2Scene): Promise<FrameClient> {
  const client = await scene.meet({ 4: wide });
  client.write(windowUpdate(0, wide));
  await settle();
  client.socket.pause();
  client.get(1, "/big");
  await until(() => scene.only().unsentBytes > 0);
  await settle();
  // The first look sees what has left already.
  await scene.pass(2 * look);
  return client;
}

for (const kind of kinds) {
  for (const { name, limits, after, ending } of deafClients) {
    test(`${kind}: ${name}: a client that takes nothing is reset, with the response in flight`, async (t) => {
      const scene = await startHttp2(t, kind, limits);
      const client = await askAndDoNotRead(scene);
      const connection = scene.only();
      // Up to two looks have passed already.
      await endsAfter(scene, connection, after - 2 * look, 3 * look);
      await seesEnd(scene, client, "RST");
      await until(() => scene.endings().length === 1);
      assert.deepEqual([scene.endings(), scene.cuts(), scene.errors], [[`${ending} while handling`], [], []]);
    });
  }

  test(`${kind}: without these limits nobody is cut, however long it takes`, async (t) => {
    const scene = await startHttp2(t, kind, off);
    const client = await askAndDoNotRead(scene);
    for (let minute = 0; minute < 10; minute++) await scene.pass(60_000);
    assert.deepEqual([scene.only().closeReason, scene.cuts()], [null, []]);
    client.socket.resume();
    await until(() => client.received.length > 32 * 2 ** 20);
  });

  test(`${kind}: responseSendTimeout: a client that takes a little now and then is not cut`, async (t) => {
    const scene = await startHttp2(t, kind, { ...off, responseSendTimeout: "4s" });
    const client = await askAndDoNotRead(scene);
    const connection = scene.only();
    for (let i = 0; i < 8; i++) {
      const { length } = client.received;
      client.socket.resume();
      await until(() => client.received.length > length + 2_000_000);
      client.socket.pause();
      await scene.pass(3000);
    }
    assert.deepEqual([connection.closeReason, scene.cuts()], [null, []], "progress restarts it");
    await endsAfter(scene, connection, 500, 4000);
  });
}
