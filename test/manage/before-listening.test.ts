import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { test } from "node:test";
import { manage } from "../../src/index.ts";
import type { Managed } from "../../src/index.ts";
import { settle } from "../protocols/http1/web.ts";

const ends: Readonly<Record<string, (managed: Managed) => Promise<unknown>>> = {
  close: (managed) => managed.close(),
  drain: (managed) => managed.drain(),
};

const kinds: Readonly<Record<string, () => Server>> = {
  net: () => createServer(),
  http: () => createHttpServer(),
  http2: () => createHttp2Server(),
};

for (const [name, make] of Object.entries(kinds)) {
  for (const [verb, end] of Object.entries(ends)) {
    test(`a server of node:${name} that is still looking up its address when it is told to ${verb} does not listen`, async () => {
      const server = make();
      let closes = 0;
      server.on("close", () => closes++);
      server.on("listening", () => assert.fail("it listens"));
      // A host is looked up in a later turn, even where it is an address.
      server.listen(0, "127.0.0.1");
      await end(manage(server));
      for (let turn = 0; turn < 5; turn++) await settle();
      assert.equal(server.listening, false);
      assert.equal(closes, 1);
    });
  }
}

test("a server that has closed already is not closed again", async () => {
  const server = createServer().listen(0);
  const managed = manage(server);
  let closes = 0;
  server.on("close", () => closes++);
  server.close();
  await managed.close();
  for (let turn = 0; turn < 5; turn++) await settle();
  assert.equal(closes, 1);
});

test("a server that never listened is closed once, though it is drained and closed", async () => {
  const server = createServer();
  const managed = manage(server);
  let closes = 0;
  server.on("close", () => closes++);
  await managed.drain();
  await managed.close();
  for (let turn = 0; turn < 5; turn++) await settle();
  assert.equal(closes, 1);
});
