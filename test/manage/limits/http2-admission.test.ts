/** Limits of admission before HTTP/2: who waits, who is refused, with which word and when. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { FrameClient } from "../../support/frame-client.ts";
import { preface, request, settings } from "../../support/http2-frames.ts";
import { connectTo } from "../../support/tcp-client.ts";
import { kinds, settle, until } from "../../protocols/http2/web.ts";
import { startHttp2 } from "./http2-scene.ts";
import type { Http2Scene } from "./http2-scene.ts";
import { endsAfter, resolution, seesEnd } from "./scene.ts";

/** In the clear GOAWAY, so that the client knows that nothing of its was begun; over TLS, where no word was said yet, a reset. */
async function isRefused(scene: Http2Scene, client: FrameClient): Promise<void> {
  if (scene.kind === "h2") {
    assert.equal(await client.ended, "ECONNRESET");
    return;
  }
  await seesEnd(scene, client, "FIN");
  assert.equal(await client.ended, "FIN");
  assert.deepEqual(client.farewells, ["last 0, NO_ERROR"]);
  client.end();
}

for (const kind of kinds) {
  test(`${kind}: maxConcurrent: the next waits, and is served when one ends`, async (t) => {
    const scene = await startHttp2(t, kind, { maxConcurrent: 1 });
    const first = await scene.meet();
    await first.get(1, "/").sees(1, "200 0 bytes, ended");
    const second = scene.dial();
    await until(() => scene.managed.waiting === 1);
    assert.equal(scene.managed.connections.size, 1);
    first.end();
    await (await second).hello().get(1, "/").sees(1, "200 0 bytes, ended");
  });

  test(`${kind}: waitTimeout: who has waited for so long is refused then, and not before`, async (t) => {
    const scene = await startHttp2(t, kind, { maxConcurrent: 1, waitTimeout: "2s", idleTimeout: "1h" });
    await scene.meet();
    const second = new FrameClient((await connectTo(t, scene.port)).socket);
    await until(() => scene.managed.waiting === 1);
    if (kind === "h2c") second.hello().get(1, "/");
    scene.clock.advance(2000 - 1);
    await settle();
    assert.equal(scene.managed.waiting, 1);
    scene.clock.advance(resolution);
    assert.equal(scene.managed.waiting, 0);
    await isRefused(scene, second);
    assert.equal(scene.managed.connections.size, 1, "the other is served on");
    assert.equal(scene.begun.size, 0);
  });

  test(`${kind}: maxWaiting: one more than may wait is refused at once`, async (t) => {
    const scene = await startHttp2(t, kind, { maxConcurrent: 1, maxWaiting: 2 });
    const first = await scene.meet();
    first.get(1, "/silent");
    await until(() => scene.begun.size === 1);
    await Promise.all([connectTo(t, scene.port), connectTo(t, scene.port)]);
    await until(() => scene.managed.waiting === 2);
    // A reset may come before the client believes that it is connected.
    const socket = connect({ port: scene.port, host: "127.0.0.1", allowHalfOpen: true });
    t.after(() => socket.destroy());
    await isRefused(scene, new FrameClient(socket));
    assert.equal(scene.managed.waiting, 2, "those before it wait on");
  });

  test(`${kind}: what came while its client waited is served, and its handshake begins then`, async (t) => {
    const scene = await startHttp2(t, kind, { maxConcurrent: 1, handshakeTimeout: "2s", idleTimeout: "1h" });
    const first = await scene.meet();
    const second = new FrameClient((await connectTo(t, scene.port)).socket);
    await until(() => scene.managed.waiting === 1);
    const said = kind === "h2c" ? Buffer.concat([preface, settings({ 1: 0 }), request(1)]) : Buffer.alloc(0);
    second.write(said);
    await scene.pass(5000);
    first.end();
    await until(() => scene.managed.waiting === 0 && scene.managed.connections.size === 1);
    if (kind === "h2c") await second.sees(1, "200 0 bytes, ended");
    const connection = scene.only();
    await endsAfter(scene, connection, 2000, resolution);
    assert.equal(await second.ended, "FIN");
    second.end();
    await until(() => scene.endings().length === 2);
    assert.match(scene.endings()[1] ?? "", /^handshake-timeout by handshakeTimeout while /);
  });
}
