/** Honest clients within the default limits: what is large, and what is slow but steady, is never cut. */
import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import { get, until } from "../../protocols/http1/web.ts";
import { startScene, webProtocols } from "./scene.ts";

const mebi = 2 ** 20;

/** Answers with the length of what has come. */
const measure: RequestListener = (request, response) => {
  let length = 0;
  request.on("data", (chunk: Buffer) => (length += chunk.length)).on("end", () => response.end(`${length} bytes`));
};

const post = (...headers: string[]): string => get("/", ...headers).replace("GET", "POST");

for (const protocol of webProtocols) {
  for (const [name, type, chunked] of [
    ["a multipart upload of 20 MB", "multipart/form-data; boundary=x", false],
    ["a chunked multipart upload of 20 MB", "multipart/form-data; boundary=x", true],
    ["a chunked gRPC stream of 20 MB", "application/grpc", true],
  ] as const) {
    test(`${protocol}: ${name}, which takes longer than every timeout, comes whole`, async (t) => {
      const scene = await startScene(t, protocol, measure);
      const client = await scene.dial();
      const part = Buffer.alloc(mebi, "x");
      client.write(
        post(`Content-Type: ${type}`, chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${20 * mebi}`),
      );
      await scene.reaches("handling");
      for (let i = 1; i <= 20; i++) {
        if (chunked)
          client
            .write(`${part.length.toString(16)}\r\n`)
            .write(part)
            .write("\r\n");
        else client.write(part);
        await until(() => scene.only().bytesReceived >= i * part.length);
        // Bursts with seconds of nothing in between.
        for (let second = 0; second < 4; second++) await scene.pass(1000);
        assert.equal(scene.server.connections.size, 1);
      }
      if (chunked) client.write("0\r\n\r\n");
      await client.gets(new RegExp(`${20 * mebi} bytes$`));
    });
  }

  test(`${protocol}: a slow but steady download of 40 MB, of 1 MiB a second, comes whole`, async (t) => {
    const size = 40 * mebi;
    const scene = await startScene(t, protocol, (_request, response) => response.end(Buffer.alloc(size, "x")));
    const client = await scene.dial();
    let taken = 0;
    client.socket.removeAllListeners("data");
    client.socket.on("data", (text: string) => (taken += text.length));
    client.socket.pause();
    client.write(get("/"));
    await until(() => scene.server.connections.size === 1 && scene.only().unsentBytes > 0);
    while (taken < size) {
      const before = taken;
      client.socket.resume();
      await until(() => taken >= Math.min(size, before + mebi) || scene.endings().length > 0);
      assert.deepEqual(scene.endings(), []);
      client.socket.pause();
      for (let quarter = 0; quarter < 4; quarter++) await scene.pass(250);
    }
    await scene.reaches("idle");
  });

  test(`${protocol}: a long poll of 50 s is answered`, async (t) => {
    let answer = (): void => {};
    const scene = await startScene(t, protocol, (_request, response) => void (answer = () => response.end("news")));
    const client = await scene.dial();
    client.write(get("/"));
    await scene.reaches("handling");
    for (let second = 0; second < 50; second++) await scene.pass(1000);
    answer();
    await client.gets(/news$/);
  });

  test(`${protocol}: a client that asks every minute keeps its connection`, async (t) => {
    const scene = await startScene(t, protocol, (_request, response) => response.end("ok"));
    const client = await scene.dial();
    for (let i = 0; i < 20; i++) {
      client.received = "";
      client.write(get("/"));
      await client.gets(/ok$/);
      await scene.reaches("idle");
      await scene.pass(60_000);
    }
    assert.equal(scene.only().closeReason, null);
  });
}
