/** A body that is cut short never looks whole to the program, whoever has answered in its place. */
import assert from "node:assert/strict";
import type { Http2Server } from "node:http2";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { settle, startWeb, until } from "./web.ts";
import type { Web } from "./web.ts";

/** What the program made of a body that it reads to its end: the code of its failure, or "whole". */
async function read(body: Readable): Promise<string> {
  body.resume();
  return finished(body, { writable: false }).then(
    () => "whole",
    (error: NodeJS.ErrnoException) => error.code ?? error.name,
  );
}

const cuts: Readonly<Record<string, (web: Web) => unknown>> = {
  maxRequestBodyLength: () => {},
  kill: (web) => web.connection().kill(),
  "responseTimeout, the client being silent": (web) => web.pass(60_000),
  "a drain": (web) => void web.managed.drain({ grace: 0 }),
  close: (web) => void web.managed.close(),
};

for (const api of ["compatibility", "stream"]) {
  for (const [cut, make] of Object.entries(cuts)) {
    for (const answered of [false, true]) {
      const name = `${api} API: an upload that is cut by ${cut}${answered ? " after its answer" : ""} is not whole`;
      test(name, async (t: TestContext) => {
        const limits = cut === "maxRequestBodyLength" ? { maxRequestBodyLength: 50_000 } : {};
        const seen: Promise<string>[] = [];
        const web = await startWeb(
          t,
          "h2c",
          (stream) => {
            if (api !== "stream") return;
            stream.on("error", () => {});
            if (answered) stream.respond({ ":status": 200 }, { endStream: true });
            seen.push(read(stream));
          },
          { limits },
        );
        if (api === "compatibility") {
          (web.server as unknown as Http2Server).on("request", (request, response) => {
            if (answered) response.end();
            seen.push(read(request));
          });
        }
        const client = await web.client();
        const upload = client.request({ ":method": "POST", ":path": "/" });
        upload.on("error", () => {}).resume();
        upload.write(Buffer.alloc(cut === "maxRequestBodyLength" ? 60_000 : 1000));
        await until(() => seen.length === 1);
        await settle();
        await make(web);
        assert.notEqual(await seen[0], "whole");
        assert.deepEqual(web.errors, []);
      });
    }
  }
}

test("a program whose listener for 'aborted' throws is told so, and nothing else ends", async (t) => {
  const web = await startWeb(t, "h2c", (stream) => {
    stream.on("error", () => {}).resume();
    stream.on("aborted", () => {
      throw new Error("on purpose");
    });
  });
  const client = await web.client();
  const upload = client.request({ ":method": "POST", ":path": "/" });
  upload.on("error", () => {}).resume();
  upload.write("half");
  await until(() => web.connection().phase === "handling");
  await settle();
  web.connection().kill();
  await until(() => web.ends().length === 1);
  assert.deepEqual(web.errors.map(String), ["Error: on purpose"]);
});
