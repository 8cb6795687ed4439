/**
 * Node unharmed: with limits that are infinite, a server under a manager says byte for byte what a bare one says, but for
 * the repairs that docs/limits.md lists.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createNetServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import * as fc from "fast-check";
import { compiledRoot } from "../../support/paths.ts";
import { fin, hold } from "./client.ts";
import type { Dialogue, Place } from "./client.ts";
import { dialogues, exchanges, faults, last } from "./dialogues.ts";
import { finite, infinite, kinds, makerOf, placeOf, reaches, sides, startPair } from "./servers.ts";
import type { Kind, Pair, Program, Reach } from "./servers.ts";

const ask = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const stay = ask.replace("Connection: close\r\n", "");

/** How many milliseconds a bare server says it keeps a connection is what it was given, or its own affair. */
function normalise(said: string, reach: Reach): string {
  const undated = said.replaceAll(/^Date: .*\r$/gm, "Date: x\r");
  return reach === infinite ? undated.replaceAll(/^Keep-Alive: timeout=\d+/gm, "Keep-Alive: timeout=x") : undated;
}

interface Comparison {
  readonly reach: Reach;
  /** Whether a bare server of TLS ends without the goodbye that a managed one says. */
  readonly repairsGoodbye?: boolean;
}

async function sameAt(
  places: readonly Place[],
  dialogue: Dialogue,
  { reach, repairsGoodbye = false }: Comparison,
): Promise<string> {
  const said = await Promise.all(places.map((place) => hold(place, dialogue)));
  const [bare = "", managed] = said.map((text) => normalise(text, reach));
  const isSecure = places.every((place) => place.isSecure);
  assert.equal(managed, isSecure && repairsGoodbye ? bare.replace(/<FIN>$/, "<close_notify, FIN>") : bare);
  return bare;
}

function same(pair: Pair, dialogue: Dialogue, comparison: Comparison): Promise<string> {
  return sameAt(
    sides.map((side) => placeOf(pair[side])),
    dialogue,
    comparison,
  );
}

async function startFreshPair(t: TestContext, kind: Kind, reach: Reach, program?: Program): Promise<Pair> {
  return startPair(t, await makerOf(kind, program), reach);
}

/** Servers whose connections have been seen to tell of the end of a response by their timers, as those of every server that runs. */
async function startSeasonedPair(t: TestContext, kind: Kind, reach: Reach, program?: Program): Promise<Pair> {
  const pair = await startFreshPair(t, kind, reach, program);
  for (let i = 0; i < 4; i++) await same(pair, [stay, { gets: /1\.1$/ }, last], { reach });
  return pair;
}

/** Each with servers of its own, whose first connections these are; and all with the same two. */
void describe("the same bytes", () => {
  for (const kind of kinds) {
    const compare = (name: string, dialogue: Dialogue, repairsGoodbye = false): void => {
      test(`${name}: ${kind}, ${infinite.name}`, { timeout: 20_000 }, async (t) => {
        const pair = await startFreshPair(t, kind, infinite);
        await same(pair, dialogue, { reach: infinite, repairsGoodbye });
      });
    };
    for (const [name, dialogue] of Object.entries(dialogues)) compare(name, dialogue);
    for (const [name, { says, gets }] of Object.entries(exchanges)) compare(name, [says, { gets }, last]);
    for (const [name, dialogue] of Object.entries(faults)) compare(name, dialogue, true);

    test(`all of them: ${kind}, ${finite.name}`, { timeout: 60_000 }, async (t) => {
      const pair = await startSeasonedPair(t, kind, finite);
      for (const dialogue of Object.values(dialogues)) await same(pair, dialogue, { reach: finite });
      for (const { says, gets } of Object.values(exchanges))
        await same(pair, [says, { gets }, last], { reach: finite });
      for (const dialogue of Object.values(faults)) await same(pair, dialogue, { reach: finite, repairsGoodbye: true });
    });
  }
});

function tellsTheSame(
  name: string,
  program: Program,
  dialogue: Dialogue,
  { expected, repairsGoodbye = false }: { expected?: RegExp; repairsGoodbye?: boolean } = {},
): void {
  for (const kind of kinds) {
    for (const reach of reaches) {
      test(`${name}: ${kind}, ${reach.name}`, { timeout: 20_000 }, async (t) => {
        const pair = await (reach === finite ? startSeasonedPair : startFreshPair)(t, kind, reach, program);
        const said = await same(pair, dialogue, { reach, repairsGoodbye });
        if (expected !== undefined) assert.match(said, expected);
      });
    }
  }
}

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
    { expected: /^HTTP\/1\.1 400 Mine/ },
  );
  tellsTheSame(
    "'upgrade'",
    {
      prepare: (server) =>
        void server.on("upgrade", (_request, socket, head) => takeOver(socket as Socket, head, "HTTP/1.1 101 Go")),
    },
    [`${upgrade}early`, { gets: /early$/ }, "hello", { gets: /hello$/ }, "quit"],
    { expected: /^HTTP\/1\.1 101 Go[^]*earlyhellobye/ },
  );
  tellsTheSame(
    "'upgrade' behind another request",
    {
      prepare: (server) =>
        void server.on("upgrade", (_request, socket, head) => takeOver(socket as Socket, head, "HTTP/1.1 101 Go")),
    },
    [stay, { gets: /1\.1$/ }, `${upgrade}early`, { gets: /early$/ }, "quit"],
    { expected: /HTTP\/1\.1 101 Go[^]*earlybye/ },
  );
  tellsTheSame(
    "'connect'",
    {
      prepare: (server) =>
        void server.on("connect", (_request, socket, head) => takeOver(socket as Socket, head, "HTTP/1.1 200 Go")),
    },
    ["CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", { gets: /Go/ }, "hello", { gets: /hello$/ }, "quit"],
    { expected: /hellobye/ },
  );
  tellsTheSame(
    "'checkContinue' that refuses",
    { prepare: (server) => void server.on("checkContinue", (_request, response) => response.writeHead(417).end("no")) },
    [expecting],
    { expected: /^HTTP\/1\.1 417 / },
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
    { expected: /^HTTP\/1\.1 100 [^]*hi \{\}/ },
  );
  tellsTheSame(
    "'checkExpectation'",
    { prepare: (server) => void server.on("checkExpectation", (_request, response) => response.end("well")) },
    ["GET / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nConnection: close\r\n\r\n"],
    { expected: /well/ },
  );
  tellsTheSame(
    "maxRequestsPerSocket",
    { prepare: (server) => void (server.maxRequestsPerSocket = 2) },
    [stay.repeat(3), { gets: /503 Service[^]*\r\n\r\n/ }, fin],
    { expected: /max=2[^]*503/ },
  );
  tellsTheSame("maxHeaderSize", { options: { maxHeaderSize: 1000 } }, [ask.replace("x", "x".repeat(1500))], {
    expected: /431/,
    repairsGoodbye: true,
  });
  tellsTheSame(
    "insecureHTTPParser",
    { options: { insecureHTTPParser: true } },
    [ask.replace("Host", "a: \x01b\r\nHost")],
    { expected: /200/ },
  );
  tellsTheSame(
    "requireHostHeader off",
    { options: { requireHostHeader: false } },
    ["GET / HTTP/1.1\r\nConnection: close\r\n\r\n"],
    { expected: /200/ },
  );
  tellsTheSame("joinDuplicateHeaders", { options: { joinDuplicateHeaders: true } }, [
    ask.replace("Host", "a: 1\r\na: 2\r\nHost"),
  ]);
  test("a keepAliveTimeout of 0, which says no Keep-Alive", async (t) => {
    const pair = await startPair(
      t,
      await makerOf("http", { prepare: (server) => void (server.keepAliveTimeout = 0) }),
      infinite,
    );
    assert.doesNotMatch(await same(pair, [stay, { gets: /1\.1$/ }, ask], { reach: infinite }), /^Keep-Alive/m);
  });
});

void describe("the same bytes, wherever the servers listen", () => {
  const all = [...Object.values(dialogues), ...Object.values(faults)];

  test("on unix sockets", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "portreeve-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const pair = await startPair(
      t,
      await makerOf("http"),
      infinite,
      (server, side) => void server.listen(join(folder, side)),
    );
    for (const dialogue of all) await same(pair, dialogue, { reach: infinite });
  });

  test("on descriptors that others have opened", { timeout: 20_000 }, async (t) => {
    const ports = await Promise.all(sides.map((side) => listenOnDescriptor(t, side)));
    const places = ports.map((port) => ({ port, host: "127.0.0.1", isSecure: false }));
    for (const dialogue of all) await sameAt(places, dialogue, { reach: infinite });
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
  const bytesOf = async (t: TestContext, dialogue: Dialogue, program: Program, reach = infinite): Promise<string[]> => {
    const pair = await startPair(t, await makerOf("http", program), reach);
    return Promise.all(sides.map((side) => hold(placeOf(pair[side]), dialogue)));
  };

  test("a client that says FIN after its request gets its answer", async (t) => {
    const [bare, managed = ""] = await bytesOf(t, [ask, fin], {
      listener: (request, response) => void request.socket.once("end", () => response.end("late")),
    });
    assert.equal(bare, "<FIN>");
    assert.match(managed, /late<FIN>$/);
  });

  test("a request is answered whatever comes behind it, where a bare server answers 400 in its place", async (t) => {
    const [bare = "", managed = ""] = await bytesOf(t, [`${stay.replace("/ ", "/late ")}\0\0\0\0`], {});
    assert.match(bare, /^HTTP\/1.1 400/);
    assert.match(managed, /^HTTP\/1.1 200 [^]*late<FIN>$/);
  });

  test("headers over the count are refused with 431, where a bare server of an older Node drops them and serves the rest", async (t) => {
    const headers = Array.from({ length: 5 }, (_, i) => `h${i}: ${i}\r\n`).join("");
    const [bare = "", managed = ""] = await bytesOf(t, [`${ask.slice(0, -2)}${headers}\r\n`], {
      prepare: (server) => void (server.maxHeadersCount = 4),
      listener: (request, response) => response.end(Object.keys(request.headers).join()),
    });
    assert.match(bare, /^HTTP\/1.1 (200 [^]*host,connection,h0,h1<FIN>$|431 )/);
    assert.match(managed, /^HTTP\/1.1 431 [^]*<FIN>$/);
  });

  test("Keep-Alive says idleTimeout, and no end as the longest time that a timer of Node's can hold", async (t) => {
    const twice: Program = { prepare: (server) => void (server.maxRequestsPerSocket = 2) };
    const kept = [stay, { gets: /1\.1$/ }, fin] as const;
    const told = async (idleTimeout: string | number): Promise<unknown[]> => {
      const reach = { ...infinite, limits: { idleTimeout } };
      return (await bytesOf(t, kept, twice, reach)).map((said) => /^Keep-Alive: (.*)\r$/m.exec(said)?.[1]);
    };
    assert.deepEqual(await told(Infinity), ["timeout=5, max=2", "timeout=2147482, max=2"]);
    assert.deepEqual(await told("1m"), ["timeout=5, max=2", "timeout=60, max=2"]);
  });

  test("what the parser refuses is answered over TLS with a close_notify behind it, where a bare server has none", async (t) => {
    const pair = await startPair(t, await makerOf("https"), infinite);
    const said = await Promise.all(sides.map((side) => hold(placeOf(pair[side]), ["what is this\r\n\r\n"])));
    const answer = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    assert.deepEqual(said, [`${answer}<FIN>`, `${answer}<close_notify, FIN>`]);
  });
});

void describe("any sequence of exchanges on one connection gets the same bytes, one by one or all at once", () => {
  for (const [kind, reach, numRuns] of [
    ["http", infinite, 150],
    ["http", finite, 100],
    ["https", finite, 25],
  ] as const) {
    test(`${kind}, ${reach.name}`, { timeout: 60_000 }, async (t) => {
      const pair = await startSeasonedPair(t, kind, reach);
      const names = fc.array(fc.constantFrom(...Object.keys(exchanges)), { minLength: 1, maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(names, fc.boolean(), async (sequence, atOnce) => {
          const chosen = sequence.flatMap((name) => exchanges[name] ?? []);
          const dialogue = atOnce
            ? [chosen.map(({ says }) => says).join("") + last]
            : [...chosen.flatMap(({ says, gets }) => [says, { gets }]), last];
          await same(pair, dialogue, { reach });
        }),
        { numRuns },
      );
    });
  }
});
