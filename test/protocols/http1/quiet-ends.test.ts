import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import type { TcpClient } from "../../support/tcp-client.ts";
import { get, settle, startWeb } from "./web.ts";
import type { Web } from "./web.ts";

/** A server with a client that has its answer; `heard` is everything that the program's own listeners are told. */
async function startIdle(t: TestContext): Promise<{ web: Web; client: TcpClient; heard: string[] }> {
  const heard: string[] = [];
  const web = await startWeb(t, (request, response) => {
    heard.push(`request ${request.url}`);
    response.end("ok");
  });
  web.http.on("clientError", () => heard.push("clientError"));
  web.http.on("upgrade", () => heard.push("upgrade"));
  const client = await web.connect();
  client.write(get("/first"));
  await client.gets(/ok$/);
  await settle();
  heard.length = 0;
  return { web, client, heard };
}

const behind: Record<string, string> = {
  "a request": get("/late"),
  "several requests": get("/late") + get("/later"),
  "a request with a body": `POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n${"x".repeat(200_000)}`,
  "half a request": "GET /late HT",
  "what is no HTTP": "\0\0\0\0",
  "a request to upgrade": get("/late", "Connection: Upgrade", "Upgrade: websocket"),
};

for (const [what, bytes] of Object.entries(behind)) {
  test(`${what} behind the end of a connection whose answer is young is thrown away, without a reset`, async (t) => {
    const { web, client, heard } = await startIdle(t);
    const drained = web.server.drain();
    client.write(bytes);
    assert.equal(await client.ended, "FIN");
    client.write(bytes);
    await settle();
    assert.match(client.received, /^HTTP\/1.1 200 [^]*ok$/);
    client.end();
    await drained;
    assert.deepEqual(web.ends(), ["drained while idle"]);
    assert.deepEqual(heard, []);
    assert.deepEqual(web.errors, []);
  });
}

test("what comes behind an end is kept from a server that has been given back meanwhile", async (t) => {
  const { web, client, heard } = await startIdle(t);
  for (const connection of web.server.connections) connection.kill();
  web.server.detach();
  client.write(get("/late"));
  assert.equal(await client.ended, "FIN");
  await settle();
  client.end();
  await settle();
  assert.deepEqual(heard, []);
  web.http.close();
});

test("a client whose answer is young and that keeps its side open is waited for, no longer than lingerTimeout", async (t) => {
  const { web, client } = await startIdle(t);
  const drained = web.server.drain();
  assert.equal(await client.ended, "FIN");
  await web.pass(990);
  assert.deepEqual(web.ends(), []);
  await web.pass(20);
  await drained;
  assert.deepEqual(web.ends(), ["drained while idle"]);
});

test("nobody waits for a client whose answer has arrived, nor for one that never asked", async (t) => {
  const { web, client } = await startIdle(t);
  const silent = await web.connect();
  await settle();
  await web.pass(250);
  const { idle, duration } = await web.server.drain();
  assert.deepEqual({ idle, duration }, { idle: 2, duration: 0 });
  assert.equal(await client.ended, "FIN");
  assert.equal(await silent.ended, "FIN");
});
