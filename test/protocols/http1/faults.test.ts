import assert from "node:assert/strict";
import type { RequestListener, ServerResponse } from "node:http";
import { test } from "node:test";
import type { TestContext } from "node:test";
import type { SafetyLimitsOptions } from "../../../src/index.ts";
import { answers, get, settle, startWeb, until } from "./web.ts";
import type { Web } from "./web.ts";

/** A server whose handlers answer when the test says so. */
async function startSlow(
  t: TestContext,
  limits: SafetyLimitsOptions = {},
): Promise<{ web: Web; open: ServerResponse[] }> {
  const open: ServerResponse[] = [];
  const handle: RequestListener = (request, response) => {
    request.on("error", () => {}).resume();
    open.push(response);
  };
  return { web: await startWeb(t, handle, limits), open };
}

const badChunk = "POST /bad HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n";

for (const [what, fault] of [
  ["what is no HTTP", "\0\0\0\0"],
  ["a head that is none", "GET / HTTP/1.1\r\nHo st: x\r\n\r\n"],
] as const) {
  test(`two requests that ${what} came behind are answered, and then the connection ends`, async (t) => {
    const { web, open } = await startSlow(t);
    const client = await web.connect();
    client.write(get("/first") + get("/second") + fault);
    await until(() => open.length === 2);
    client.write("and more of it");
    await settle();
    assert.deepEqual(web.ends(), []);
    open[1]?.end("second");
    open[0]?.end("first");
    assert.deepEqual(
      answers(await client.all()).map(({ body }) => body),
      ["first", "second"],
    );
    assert.equal(await client.ended, "FIN");
    client.end();
    await until(() => web.ends().length === 1);
    assert.match(web.ends()[0] ?? "", /^protocol-error while /);
    assert.deepEqual(web.errors, []);
  });
}

test("a bad chunk is answered with 400 in its turn, behind the answer to the request before it", async (t) => {
  const { web, open } = await startSlow(t);
  const client = await web.connect();
  client.write(get("/good") + badChunk);
  await until(() => open.length === 2);
  await settle();
  open[0]?.end("good");
  assert.deepEqual(
    answers(await client.all()).map(({ status }) => status),
    [200, 400],
  );
  client.end();
  await until(() => web.ends().length === 1);
});

test("a client that ends in the middle of its second request gets the answer to its first", async (t) => {
  const { web, open } = await startSlow(t);
  const client = await web.connect();
  client.write(`${get("/first")}GET /sec`);
  client.end();
  await until(() => open.length === 1);
  await settle();
  open[0]?.end("first");
  assert.deepEqual(
    answers(await client.all()).map(({ body }) => body),
    ["first"],
  );
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^client-ended while /);
});

test("a handler that never answers does not keep a client whose next request was none: responseTimeout ends it", async (t) => {
  const { web, open } = await startSlow(t, { responseTimeout: "10s" });
  const client = await web.connect();
  client.write(`${get("/first")}\0\0\0\0`);
  await until(() => open.length === 1);
  await settle();
  await web.pass(10_050);
  assert.equal(answers(await client.all())[0]?.status, 503);
  client.end();
  await until(() => web.ends().length === 1);
  assert.match(web.ends()[0] ?? "", /^response-timeout while handling/);
});
