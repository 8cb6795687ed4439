/** Limits of admission: who waits, who is refused, with which answer and when. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { answers, get, settle, until } from "../../protocols/http1/web.ts";
import { resolution, seesEnd, startScene, webProtocols } from "./scene.ts";
import type { Scene } from "./scene.ts";
import { TcpClient, connectTo } from "../../support/tcp-client.ts";

/** Over http 503, so that the client knows when to come again; over https, where no word was said yet, a reset. */
async function isRefused(scene: Scene, client: TcpClient): Promise<void> {
  if (scene.protocol === "https") {
    assert.equal(await client.ended, "ECONNRESET");
    return;
  }
  await seesEnd(scene, client, "FIN");
  const [answer] = answers(await client.all());
  assert.equal(answer?.status, 503);
  assert.match(answer?.head ?? "", /^Connection: close\r$/m);
  assert.match(answer?.head ?? "", /^Retry-After: 1\r$/m);
  assert.equal(await client.ended, "FIN");
  client.end();
}

for (const protocol of webProtocols) {
  test(`${protocol}: maxConcurrent: the next waits, and is served when one ends`, async (t) => {
    const scene = await startScene(t, protocol, (_request, response) => response.end("ok"), { maxConcurrent: 1 });
    const first = await scene.dial();
    first.write(get("/"));
    await first.gets(/ok$/);
    const second = scene.dial();
    await until(() => scene.server.waiting === 1);
    assert.equal(scene.server.connections.size, 1);
    first.end();
    const client = await second;
    client.write(get("/"));
    await client.gets(/ok$/);
  });

  test(`${protocol}: waitTimeout: who has waited for so long is refused then, and not before`, async (t) => {
    const scene = await startScene(t, protocol, (_request, response) => response.end("ok"), {
      maxConcurrent: 1,
      waitTimeout: "2s",
      idleTimeout: "1h",
    });
    const first = await scene.dial();
    first.write(get("/"));
    await first.gets(/ok$/);
    const second = await connectTo(t, scene.port);
    await until(() => scene.server.waiting === 1);
    second.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    scene.clock.advance(2000 - 1);
    await settle();
    assert.equal(scene.server.waiting, 1);
    scene.clock.advance(resolution);
    assert.equal(scene.server.waiting, 0);
    await isRefused(scene, second);
    assert.equal(scene.server.connections.size, 1, "the other is served on");
  });

  test(`${protocol}: maxWaiting: one more than may wait is refused at once`, async (t) => {
    const waiting: ServerResponse[] = [];
    const scene = await startScene(t, protocol, (_request, response) => void waiting.push(response), {
      maxConcurrent: 1,
      maxWaiting: 2,
    });
    const first = await scene.dial();
    first.write(get("/"));
    await until(() => waiting.length === 1);
    await Promise.all([connectTo(t, scene.port), connectTo(t, scene.port)]);
    await until(() => scene.server.waiting === 2);
    // A reset may come before the client believes that it is connected.
    const socket = connect({ port: scene.port, host: "127.0.0.1", allowHalfOpen: true });
    await isRefused(scene, new TcpClient(socket));
    assert.equal(scene.server.waiting, 2, "those before it wait on");
  });

  test(`${protocol}: what came while its client waited counts as begun`, async (t) => {
    const scene = await startScene(t, protocol, (_request, response) => response.end("ok"), {
      maxConcurrent: 1,
      requestReadTimeout: "2s",
    });
    if (protocol === "https") {
      // A client of TLS says nothing of HTTP before it is served.
      const [first, second] = [await scene.dial(), scene.dial()];
      await until(() => scene.server.waiting === 1);
      first.end();
      (await second).write(get("/"));
      await (await second).gets(/ok$/);
      return;
    }
    const first = await scene.dial();
    const second = await connectTo(t, scene.port);
    await until(() => scene.server.waiting === 1);
    second.write("GET / HTTP/1.1\r\nHos");
    await settle();
    first.end();
    await until(() => scene.server.waiting === 0 && scene.server.connections.size === 1);
    await scene.pass(2000 + resolution);
    assert.equal(answers(await second.all())[0]?.status, 408);
    second.end();
  });
}
