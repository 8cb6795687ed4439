import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { existsSync, readdirSync } from "node:fs";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import process from "node:process";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { FormDataError, parseFormData } from "../../src/protocols/form-data/form-data.ts";
import type { FormDataRequest } from "../../src/protocols/form-data/form-data.ts";
import { gate } from "../support/clients.ts";
import { until } from "../support/rounds.ts";
import type { TcpClient } from "../support/tcp-client.ts";
import { startWeb } from "../protocols/http1/web.ts";
import {
  field,
  file,
  head,
  multipart,
  multipartType,
  openFiles,
  reason,
  startFormServer,
  temporaryFolder,
} from "./form-server.ts";

const content = "x".repeat(200_000);
const form = multipart([file("a", content), file("b", content)]);
const safetyLimits = { formDataFileMemoryThreshold: 1000 };

/** Sends a request with the first bytes of the form, or with all of it. */
function send(client: TcpClient, bytes = form.length): void {
  client.write(head(form.length)).write(form.subarray(0, bytes));
}

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
  send(client);
  await used.promise;
  client.socket.destroy();
  assert.equal(((await gone.promise) as NodeJS.ErrnoException).code, "ENOENT");
});

test("on one connection, each request's files go with its answer", async (t) => {
  const server = await startFormServer(t, { safetyLimits });
  const client = await server.connect();
  for (let number = 1; number <= 20; number++) {
    send(client);
    assert.equal(reason(await server.outcome(number)), "read");
    await server.empty();
  }
  // Nothing of them hangs on the connection.
  const sockets: Socket[] = [];
  server.http.once("connection", (socket) => sockets.push(socket));
  const other = await server.connect();
  const before = sockets[0]?.listenerCount("close");
  for (let number = 21; number <= 25; number++) {
    send(other);
    await server.outcome(number);
    await server.empty();
  }
  await until(() => sockets[0]?.listenerCount("close") === before);
});

test("a form that stalls is ended by the deadlines of its connection, and leaves nothing behind", async (t) => {
  const outcome = gate<unknown>();
  const folder = temporaryFolder(t, async () => {
    client.socket.destroy();
    await web.server.close();
  });
  const web = await startWeb(
    t,
    (request) => void parseFormData(request, { safetyLimits }).then(outcome.open, outcome.open),
    { minReceiveRate: { bytesPerSecond: 240, grace: "5s" } },
  );
  const client = await web.connect();
  send(client, 300_000);
  await until(() => readdirSync(folder).length > 0);
  while (client.received === "") await web.pass(1000);
  assert.match(client.received, /^HTTP\/1.1 (408|503)/, "503 where the disk was slower than the client");
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
  send(client, 300_000);
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
