/**
 * Forms by HTTP/2, with the requests of Node's compatibility layer and with its own streams.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { connect, constants, createServer } from "node:http2";
import type { ClientHttp2Stream, Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { FormDataError, parseFormData } from "../../src/protocols/form-data/form-data.ts";
import type { ParsedFormData } from "../../src/protocols/form-data/form-data.ts";
import { gate } from "../support/clients.ts";
import { data, preface, request, reset, settings } from "../support/http2-frames.ts";
import { settle, until } from "../support/rounds.ts";
import { connectTo } from "../support/tcp-client.ts";
import { field, file, multipart, multipartType, reason, see, temporaryFolder, urlencodedType } from "./form-server.ts";
import type { Seen } from "./form-server.ts";

const content = "x".repeat(200_000);
const form = multipart([file("a", content), file("b", content)]);
const safetyLimits = { formDataFileMemoryThreshold: 1000 };

type Style = "request" | "stream";

interface Http2 {
  port: number;
  folder: string;
  outcomes: (Seen | Error)[];
  /** How many requests the server has heard of. */
  heard(): number;
  post(type: string): ClientHttp2Stream;
}

/** A server of http2, with the requests of its compatibility layer or with its own streams. */
async function startHttp2(t: TestContext, style: Style): Promise<Http2> {
  const outcomes: (Seen | Error)[] = [];
  let heard = 0;
  const server: Http2Server = createServer();
  const folder = temporaryFolder(t, async () => {
    client.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const answer = async (
    parsing: Promise<ParsedFormData>,
    end: (status: number, text: string) => void,
  ): Promise<void> => {
    heard++;
    try {
      const seen = await see(await parsing);
      outcomes.push(seen);
      end(200, JSON.stringify(seen));
    } catch (error) {
      outcomes.push(error as Error);
      end(error instanceof FormDataError ? error.status : 500, "");
    }
  };
  if (style === "request") {
    server.on("request", (request, response) => {
      void answer(parseFormData(request, { safetyLimits }), (status, text) => response.writeHead(status).end(text));
    });
  } else {
    server.on("stream", (stream, headers: IncomingHttpHeaders) => {
      stream.on("error", () => {});
      void answer(parseFormData(stream, { safetyLimits, headers }), (status, text) => {
        if (stream.destroyed) return;
        stream.respond({ ":status": status });
        stream.end(text);
      });
    });
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = connect(`http://127.0.0.1:${port}`);
  return {
    port,
    folder,
    outcomes,
    heard: () => heard,
    post(type) {
      const stream = client.request({ ":method": "POST", ":path": "/", "content-type": type });
      stream.on("error", () => {});
      return stream;
    },
  };
}

for (const style of ["request", "stream"] as const) {
  test(`a form comes by HTTP/2 as a ${style}`, async (t) => {
    const { post, folder } = await startHttp2(t, style);
    for (let i = 0; i < 5; i++) {
      const stream = post(multipartType);
      stream.end(form);
      const seen = JSON.parse(await text(stream)) as Seen;
      assert.deepEqual(
        seen.map(([name, value]) => [name, (value as { content: string }).content === content]),
        [
          ["a", true],
          ["b", true],
        ],
      );
    }
    await until(() => readdirSync(folder).length === 0);
  });

  test(`a form over a limit is 413 by HTTP/2 as a ${style}`, async (t) => {
    const { post } = await startHttp2(t, style);
    const stream = post(multipartType);
    stream.end(multipart([field("a", "x".repeat(9000))]));
    const [headers] = (await once(stream, "response")) as [{ ":status": number }];
    assert.equal(headers[":status"], 413);
    stream.destroy();
  });

  for (const [name, code] of Object.entries({
    "a reset": constants.NGHTTP2_CANCEL,
    "a reset that claims there is no error": constants.NGHTTP2_NO_ERROR,
    "a client that goes away": null,
  })) {
    test(`${name} by HTTP/2 in the middle of a form is no form, as a ${style}`, async (t) => {
      const { port, outcomes, heard, folder } = await startHttp2(t, style);
      for (const [type, beginning] of [
        [multipartType, form.subarray(0, 60_000)],
        [urlencodedType, Buffer.from("a=1&b=2")],
      ] as const) {
        const post = request(1, { method: "POST", end: false, headers: { "content-type": type } });
        for (const run of [1, 2]) {
          const number = outcomes.length + 1;
          const client = await connectTo(t, port);
          client.write(Buffer.concat([preface, settings(), post]));
          for (let at = 0; at < beginning.length; at += 16_384)
            client.write(data(1, beginning.subarray(at, at + 16_384)));
          await until(() => heard() === number);
          // Two ways to come: with the body, or after it.
          if (run === 2) await settle();
          if (code === null) client.socket.destroy();
          else client.write(reset(1, code));
          await until(() => outcomes.length === number);
          client.socket.destroy();
          assert.equal(reason(outcomes.at(-1) as Error), "400");
          await until(() => readdirSync(folder).length === 0);
        }
      }
    });
  }
}

test("a stream of HTTP/2 without its headers is the program's mistake", async (t) => {
  const server = createServer();
  const folder = temporaryFolder(t, async () => {
    client.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const mistake = gate<unknown>();
  server.on("stream", (stream) => parseFormData(stream).then(mistake.open, mistake.open));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  client
    .request({ ":method": "POST" })
    .on("error", () => {})
    .end();
  assert.equal(((await mistake.promise) as { path?: string }).path, "options.headers");
  assert.ok(existsSync(folder));
});
