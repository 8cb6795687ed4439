/**
 * Node unharmed: with limits that are infinite, a server under a manager says byte for byte what a bare one says, but for
 * the repairs that docs/limits.md lists.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { createServer as createNetServer } from "node:net";
import type { AddressInfo, NetConnectOpts, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import * as fc from "fast-check";
import { compiledRoot } from "../../support/paths.ts";
import { dialogues, exchanges, last } from "./dialogues.ts";
import { fin, hold, startPair } from "./servers.ts";
import type { Dialogue, Pair, Program } from "./servers.ts";

function at(server: Server): NetConnectOpts {
  const address = server.address();
  return typeof address === "string" ? { path: address } : { port: (address as AddressInfo).port, host: "127.0.0.1" };
}

async function same(pair: Pair, dialogue: Dialogue): Promise<string> {
  const [bare, managed] = await Promise.all([hold(at(pair.bare), dialogue), hold(at(pair.managed), dialogue)]);
  assert.equal(managed, bare);
  return bare;
}

function tellsTheSame(name: string, program: Program, dialogue: Dialogue, expected?: RegExp): void {
  test(name, { timeout: 20_000 }, async (t) => {
    const pair = await startPair(program);
    t.after(() => pair.end());
    const said = await same(pair, dialogue);
    if (expected !== undefined) assert.match(said, expected);
  });
}

void describe("the same bytes", () => {
  for (const [name, dialogue] of Object.entries(dialogues)) tellsTheSame(name, {}, dialogue);
  for (const [name, { says, gets }] of Object.entries(exchanges)) tellsTheSame(name, {}, [says, { gets }, last]);
});

const ask = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const upgrade = "GET /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n";
const expecting =
  "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";

/** Another protocol: says what it hears, and ends at "quit". */
function takeOver(socket: Socket, head: Buffer, welcome: string): void {
  socket.write(`${welcome}\r\n\r\n${head.toString()}`);
  socket
    .on("error", () => {})
    .on("data", (data: Buffer) => {
      if (data.toString().includes("quit")) socket.end("bye");
      else socket.write(data);
    });
}

void describe("the same bytes, with listeners and settings of the program", () => {
  tellsTheSame(
    "'clientError'",
    { prepare: (server) => void server.on("clientError", (_error, socket) => socket.end("HTTP/1.1 400 Mine\r\n\r\n")) },
    ["what is this\r\n\r\n"],
    /^HTTP\/1\.1 400 Mine/,
  );
  tellsTheSame(
    "'upgrade'",
    {
      prepare: (server) =>
        void server.on("upgrade", (_request, socket, head) => takeOver(socket as Socket, head, "HTTP/1.1 101 Go")),
    },
    [`${upgrade}early`, { gets: /early$/ }, "hello", { gets: /hello$/ }, "quit"],
    /^HTTP\/1\.1 101 Go[^]*earlyhellobye/,
  );
  tellsTheSame(
    "'connect'",
    {
      prepare: (server) =>
        void server.on("connect", (_request, socket, head) => takeOver(socket as Socket, head, "HTTP/1.1 200 Go")),
    },
    ["CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", { gets: /Go/ }, "hello", { gets: /hello$/ }, "quit"],
    /hellobye/,
  );
  tellsTheSame(
    "'checkContinue' that refuses",
    { prepare: (server) => void server.on("checkContinue", (_request, response) => response.writeHead(417).end("no")) },
    [expecting],
    /^HTTP\/1\.1 417 /,
  );
  tellsTheSame(
    "'checkContinue' that goes on",
    {
      prepare: (server) =>
        void server.on("checkContinue", (request, response) => {
          response.writeContinue();
          server.emit("request", request, response);
        }),
    },
    [expecting],
    /^HTTP\/1\.1 100 [^]*hi \{\}/,
  );
  tellsTheSame(
    "'checkExpectation'",
    { prepare: (server) => void server.on("checkExpectation", (_request, response) => response.end("well")) },
    ["GET / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nConnection: close\r\n\r\n"],
    /well/,
  );
  tellsTheSame(
    "maxRequestsPerSocket",
    { prepare: (server) => void (server.maxRequestsPerSocket = 2) },
    [ask.replace("Connection: close\r\n", "").repeat(3), { gets: /503 Service[^]*\r\n\r\n/ }, fin],
    /503/,
  );
  tellsTheSame("maxHeaderSize", { options: { maxHeaderSize: 1000 } }, [ask.replace("x", "x".repeat(1500))], /431/);
  tellsTheSame("insecureHTTPParser", { options: { insecureHTTPParser: true } }, [
    ask.replace("Host", "a\x01b: 1\r\nHost"),
  ]);
  tellsTheSame(
    "requireHostHeader off",
    { options: { requireHostHeader: false } },
    ["GET / HTTP/1.1\r\nConnection: close\r\n\r\n"],
    /200/,
  );
  tellsTheSame("joinDuplicateHeaders", { options: { joinDuplicateHeaders: true } }, [
    ask.replace("Host", "a: 1\r\na: 2\r\nHost"),
  ]);
  tellsTheSame(
    "a keepAliveTimeout of 0, which says no Keep-Alive",
    { prepare: (server) => void (server.keepAliveTimeout = 0) },
    [ask.replace("close", "keep-alive"), { gets: /1\.1$/ }, ask],
  );

  test("a handler that calls server.close(): the answer comes, and the server ends", async (t) => {
    const closed: string[] = [];
    const pair = await startPair({
      prepare(server) {
        server.on("close", () => closed.push("closed"));
        server.prependListener("request", (request) => {
          if (request.url === "/stop") server.close();
        });
      },
    });
    t.after(() => pair.end());
    await same(pair, [ask.replace("/ ", "/stop ")]);
    while (closed.length < 2) await new Promise((resolve) => setImmediate(resolve));
  });
});

void describe("the same bytes, wherever the servers listen", () => {
  test("on unix sockets", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "portreeve-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const pair = await startPair({}, (server, which) => void server.listen(join(folder, which)));
    t.after(() => pair.end());
    for (const dialogue of Object.values(dialogues)) await same(pair, dialogue);
  });

  test("on descriptors that others have opened", { timeout: 20_000 }, async (t) => {
    const ports = await Promise.all(["bare", "managed"].map((which) => listenOnDescriptor(t, which)));
    for (const [name, dialogue] of Object.entries(dialogues)) {
      const [bare, managed] = await Promise.all(ports.map((port) => hold({ port, host: "127.0.0.1" }, dialogue)));
      assert.equal(managed, bare, name);
    }
  });
});

/** Opens a port, and hands it to a server in a process of its own. */
async function listenOnDescriptor(t: TestContext, which: string): Promise<number> {
  const owner = createNetServer().listen(0, "127.0.0.1");
  await once(owner, "listening");
  const { port } = owner.address() as AddressInfo;
  const { fd } = (owner as unknown as { _handle: { fd: number } })._handle;
  const script = join(compiledRoot, "test/manage/unharmed/listen-on-descriptor.js");
  const child = spawn(process.execPath, [script, which, "3"], { stdio: ["ignore", "pipe", "inherit", fd] });
  t.after(() => child.kill());
  await once(child.stdout as Readable, "data");
  owner.close();
  return port;
}

void describe("the documented repairs", () => {
  test("a client that says FIN after its request gets its answer", async (t) => {
    const pair = await startPair({
      listener: (request, response) => void request.socket.once("end", () => response.end("late")),
    });
    t.after(() => pair.end());
    const dialogue = [ask, fin] as const;
    assert.equal(await hold(at(pair.bare), dialogue), "<FIN>");
    assert.match(await hold(at(pair.managed), dialogue), /late<FIN>$/);
  });

  test("a request is answered whatever comes behind it, where a bare server answers 400 in its place", async (t) => {
    const pair = await startPair({});
    t.after(() => pair.end());
    const dialogue = [`${ask.replace("/ ", "/late ").replace("close", "keep-alive")}\0\0\0\0`];
    assert.match(await hold(at(pair.bare), dialogue), /^HTTP\/1.1 400/);
    assert.match(await hold(at(pair.managed), dialogue), /^HTTP\/1.1 200 [^]*late<FIN>$/);
  });
});

test(
  "any sequence of exchanges on one connection gets the same bytes, one by one or all at once",
  { timeout: 60_000 },
  async (t) => {
    const pair = await startPair({});
    t.after(() => pair.end());
    const names = fc.array(fc.constantFrom(...Object.keys(exchanges)), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(names, fc.boolean(), async (sequence, atOnce) => {
        const chosen = sequence.flatMap((name) => exchanges[name] ?? []);
        await same(
          pair,
          atOnce
            ? [chosen.map(({ says }) => says).join("") + last]
            : [...chosen.flatMap(({ says, gets }) => [says, { gets }]), last],
        );
      }),
      { numRuns: 150 },
    );
  },
);
