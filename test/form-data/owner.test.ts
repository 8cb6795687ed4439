import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { existsSync, readdirSync } from "node:fs";
import { IncomingMessage } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { connect, constants, createServer } from "node:http2";
import type { ClientHttp2Stream, Http2Server } from "node:http2";
import { Socket } from "node:net";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { FormDataError, parseFormData } from "../../src/protocols/form-data/form-data.ts";
import type { FormDataRequest, ParsedFormData } from "../../src/protocols/form-data/form-data.ts";
import { gate } from "../support/clients.ts";
import { connectTo } from "../support/tcp-client.ts";
import { settle, startWeb } from "../protocols/http1/web.ts";
import {
  field,
  file,
  head,
  multipart,
  multipartType,
  openFiles,
  reason,
  see,
  startFormServer,
  temporaryFolder,
  until,
  urlencodedType,
} from "./form-server.ts";
import type { Seen } from "./form-server.ts";

const content = "x".repeat(200_000);
const form = multipart([file("a", content), file("b", content)]);
const safetyLimits = { formDataFileMemoryThreshold: 1000 };

test("a temporary file is readable by this user alone, holds no descriptor, and is gone when the request is answered", async (t) => {
  const before = openFiles();
  let paths: readonly string[] = [];
  const server = await startFormServer(t, {
    safetyLimits,
    async use({ files }) {
      paths = files.map(({ path }) => path ?? "");
      assert.equal(new Set(paths).size, 2);
      for (const path of paths) {
        assert.ok(path.startsWith(server.folder));
        assert.equal((await stat(path)).mode & 0o777, 0o600);
        assert.equal(await readFile(path, "latin1"), content);
      }
      // The listener, and both ends of the connection.
      assert.ok(openFiles() <= before + 4, `${openFiles()} and ${before}`);
    },
  });
  assert.equal(reason(await server.post(form, multipartType)), "read");
  await server.empty();
  for (const path of paths) assert.equal(existsSync(path), false);
});

test("a client that goes away while its form is used takes the files with it, and a stream of one ends", async (t) => {
  const used = gate();
  const gone = gate<Error>();
  const server = await startFormServer(t, {
    safetyLimits,
    async use({ files: [first, second] }) {
      const stream = first?.stream();
      used.open();
      await until(() => readdirSync(server.folder).length === 0);
      assert.equal(stream?.destroyed, true);
      assert.throws(() => second?.stream(), { code: "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN" });
      await second?.bytes().catch((error: Error) => gone.open(error));
    },
  });
  const client = await server.connect();
  client.write(head(form.length)).write(form);
  await used.promise;
  client.socket.destroy();
  assert.equal(((await gone.promise) as NodeJS.ErrnoException).code, "ENOENT");
});

test("on one connection, each request's files go with its answer", async (t) => {
  const server = await startFormServer(t, { safetyLimits });
  const client = await server.connect();
  for (let number = 1; number <= 20; number++) {
    client.write(head(form.length)).write(form);
    assert.equal(reason(await server.outcome(number)), "read");
    await server.empty();
  }
  // Nothing of them hangs on the connection.
  const sockets: Socket[] = [];
  server.http.once("connection", (socket) => sockets.push(socket));
  const other = await server.connect();
  const before = sockets[0]?.listenerCount("close");
  for (let number = 21; number <= 25; number++) {
    other.write(head(form.length)).write(form);
    await server.outcome(number);
    await server.empty();
  }
  await until(() => sockets[0]?.listenerCount("close") === before);
});

test("a form that stalls is ended by the deadline of its connection, and leaves nothing behind", async (t) => {
  const outcome = gate<unknown>();
  const folder = temporaryFolder(t, async () => {
    client.socket.destroy();
    await web.server.close();
  });
  const web = await startWeb(
    t,
    (request) => void parseFormData(request, { safetyLimits }).then(outcome.open, outcome.open),
    { responseTimeout: "10s" },
  );
  const client = await web.connect();
  client.write(head(form.length)).write(form.subarray(0, 300_000));
  await until(() => readdirSync(folder).length > 0);
  await web.pass(10_000);
  await client.gets(/^HTTP\/1.1 503/);
  client.socket.destroy();
  // If the disk had made the server pause, the end of the connection is its linger's.
  let isOver = false;
  void outcome.promise.then(() => (isOver = true));
  while (!isOver) await web.pass(1000);
  const error = await outcome.promise;
  assert.ok(error instanceof FormDataError);
  assert.equal(error.status, 400);
});

test("a program that answers before the form has come is told, and the files go", async (t) => {
  const outcome = gate<unknown>();
  const folder = temporaryFolder(t, async () => {
    client.socket.destroy();
    await web.server.close();
  });
  const web = await startWeb(t, (request, response) => {
    parseFormData(request, { safetyLimits }).then(outcome.open, outcome.open);
    void until(() => readdirSync(folder).length > 0).then(() => response.end("enough"));
  });
  const client = await web.connect();
  client.write(head(form.length)).write(form.subarray(0, 300_000));
  assert.equal(reason((await outcome.promise) as Error), "400");
});

test("a disk that fails is the program's error, not the client's, and ends nothing else", async (t) => {
  const server = await startFormServer(t, { safetyLimits });
  const { TMPDIR } = process.env;
  process.env["TMPDIR"] = "/nowhere/at/all";
  try {
    assert.equal(await server.post(form, multipartType), "500");
  } finally {
    process.env["TMPDIR"] = TMPDIR;
  }
  assert.equal((server.outcomes[0] as NodeJS.ErrnoException).code, "ENOENT");
  assert.equal(reason(await server.post(form, multipartType)), "read");
});

test("a request that somebody has read, and what is no request, are the program's mistakes", async (t) => {
  const mistakes: unknown[] = [];
  const server = await startFormServer(t, {
    use: async (_form, request) => mistakes.push(await parseFormData(request).catch((error: unknown) => error)),
  });
  await server.post(multipart([field("a", "x")]), multipartType);
  for (const stranger of [undefined, null, 1, "text", {}, new PassThrough(), new Request("http://x/")]) {
    mistakes.push(await parseFormData(stranger as FormDataRequest).catch((error: unknown) => error));
  }
  const request = new IncomingMessage(new Socket());
  for (const options of [null, 1, { limits: {} }, { safetyLimits: 1 }, { safetyLimits: { no: 1 } }, { headers: 1 }]) {
    mistakes.push(await parseFormData(request, options as never).catch((error: unknown) => error));
  }
  request.setEncoding("utf8");
  mistakes.push(await parseFormData(request).catch((error: unknown) => error));
  assert.equal(mistakes.length, 15);
  for (const mistake of mistakes) assert.equal((mistake as { code?: string }).code, "ERR_PORTREEVE_ARGUMENT_TYPE");
});

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
        for (const run of [1, 2]) {
          const number = outcomes.length + 1;
          const client = await connectTo(t, port);
          client.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").write(frame(4, 0, 0, Buffer.alloc(0)));
          client.write(
            frame(
              1,
              4,
              1,
              fieldSection({
                ":method": "POST",
                ":scheme": "http",
                ":authority": "x",
                ":path": "/",
                "content-type": type,
              }),
            ),
          );
          for (let at = 0; at < beginning.length; at += 16_384) {
            client.write(frame(0, 0, 1, beginning.subarray(at, at + 16_384)));
          }
          await until(() => heard() === number);
          // Two ways to come: with the body, or after it.
          if (run === 2) await settle();
          if (code === null) client.socket.destroy();
          else client.write(frame(3, 0, 1, Buffer.from([0, 0, 0, code])));
          await until(() => outcomes.length === number);
          client.socket.destroy();
          assert.equal(reason(outcomes.at(-1) as Error), "400");
          await until(() => readdirSync(folder).length === 0);
        }
      }
    });
  }
}

/** A frame of HTTP/2. */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const { length } = payload;
  return Buffer.concat([
    Buffer.from([length >> 16, (length >> 8) & 255, length & 255, type, flags, 0, 0, 0, stream]),
    payload,
  ]);
}

/** Headers in the simplest coding of HPACK: literals. */
function fieldSection(headers: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
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
