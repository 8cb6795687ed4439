import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { compiledSource } from "../support/paths.ts";

/** Runs a program that cuts clients off in a process of its own, and gives what it warned of. */
function warningsOf(program: string): string[] {
  const run = spawnSync(process.execPath, ["--no-warnings", "--input-type=module", "-e", prelude + program], {
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout.split("\n").filter((line) => line !== "");
}

const prelude = `
  import { once, EventEmitter } from "node:events";
  import { createServer } from "node:http";
  import * as http2 from "node:http2";
  import { connect } from "node:net";
  const from = (path) => import(${JSON.stringify(pathToFileURL(compiledSource).href)} + "/" + path + ".js");
  const { Admission } = await from("admission/admission");
  const { startConnectionManager } = await from("connection/connection-manager");
  const { makeCustodian } = await from("custodian/index");
  const { makeSafetyLimits, manage, requestOf } = await from("index");
  const { parseFormData } = await from("protocols/form-data/form-data");
  const { ManualClock, makePortPair } = await from("testing/index");
  process.on("warning", (warning) => console.log(warning.name + " " + warning.message));
  const clock = new ManualClock();
  const listens = async (server, safetyLimits) => {
    const managed = manage(server, { clock, safetyLimits });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return { managed, port: server.address().port };
  };
  const until = async (what) => {
    while (!what()) await new Promise((resolve) => setImmediate(resolve));
  };
`;

const unread = (limits: string): string => `
  const manager = startConnectionManager({ clock, safetyLimits: ${limits} });
  for (let i = 0; i < 3; i++) {
    const { server, client } = makePortPair();
    client.on("error", () => {});
    manager.open(manager.safetyLimits.requestReadTimeout, server, server, makeCustodian(null, { clock }), false);
  }
  clock.advance("2m");
`;

test("the first client cut off by a limit that nobody chose is said, once, with how to raise it", () => {
  const warnings = warningsOf(unread("makeSafetyLimits()"));
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0] ?? "",
    /^PortreeveLimitWarning .*requestReadTimeout.*60000.*safetyLimits: \{ requestReadTimeout/,
  );
});

test("a limit that was chosen cuts without a word", () => {
  assert.deepEqual(warningsOf(unread('{ requestReadTimeout: "59s" }')), []);
});

/** A client of HTTP/1.1 that says something, until it has the status. */
const says = (text: string, status: number): string => `
  const { managed, port } = await listens(createServer((request, response) => response.end()), limits);
  const client = connect(port, "127.0.0.1").setEncoding("latin1");
  let received = "";
  client.on("data", (text) => (received += text));
  client.write(${text});
  await until(() => received.startsWith("HTTP/1.1 ${status}"));
  client.destroy();
  await managed.close();
`;

/** How a client of each protocol asks; its end tells that the request was cut. */
const asking = {
  http: 'const client = connect(port, "127.0.0.1"); client.write("GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n");',
  // A ping comes back behind the word that the settings are known.
  http2: `
    const session = http2.connect("http://127.0.0.1:" + port).on("error", () => {});
    await once(session, "remoteSettings");
    await new Promise((resolve) => session.ping(resolve));
    const client = session.request();`,
} as const;

/** A request that nobody answers, and whose deadline the program moves or leaves where it is. */
const unanswered = (protocol: "http" | "http2", isMoved: boolean): string => `
  const server = ${protocol === "http" ? "createServer()" : "http2.createServer()"};
  if (${isMoved}) server.on("request", (request) => requestOf(request).resetTimeout("30s"));
  const { managed, port } = await listens(server, limits);
  ${asking[protocol]}
  const ended = once(client.on("error", () => {}).resume(), "end");
  await once(server, "request");
  await until(() => [...managed.connections][0].phase === "handling");
  clock.advance("61s");
  await ended;
  process.exit();
`;

const form = `
  const server = createServer(async (request, response) => {
    const form = await parseFormData(request, own).catch((error) => error);
    response.writeHead(form.status ?? 200, { Connection: "close" }).end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const answer = await fetch("http://127.0.0.1:" + server.address().port, {
    method: "POST", body: new URLSearchParams({ a: "x".repeat(9000) }),
  });
  if (answer.status !== 413) throw new Error("not refused: " + answer.status);
  process.exit();
`;

const admission = (after: string): string => `
  const { TimerManager } = await from("timers/timer-manager");
  let refused = 0;
  const outcome = { admitted() {}, refused: () => refused++ };
  const admission = new Admission(makeSafetyLimits({ maxConcurrent: 1, ...limits }), new TimerManager({ clock }), outcome);
  ${after}
  if (refused === 0) throw new Error("nobody was refused");
`;

interface FirstCut {
  readonly name: string;
  /** What cuts, within `limits`. */
  readonly program: string;
  readonly limit: string;
  /** The limit, chosen. */
  readonly chosen: string;
}

const firstCuts: readonly FirstCut[] = [
  {
    name: "413 for a body",
    program: says('"POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2000000\\r\\n\\r\\n"', 413),
    limit: "maxRequestBodyLength",
    chosen: '"1 MB"',
  },
  {
    name: "431 for headers",
    program: says('"GET / HTTP/1.1\\r\\nHost: x\\r\\n" + "a: b\\r\\n".repeat(100) + "\\r\\n"', 431),
    limit: "maxRequestHeaders",
    chosen: "99",
  },
  {
    name: "503 for a request of HTTP/1.1",
    program: unanswered("http", false),
    limit: "responseTimeout",
    chosen: '"59s"',
  },
  {
    name: "a stream of HTTP/2 that is cut",
    program: unanswered("http2", false),
    limit: "responseTimeout",
    chosen: '"59s"',
  },
  {
    name: "a client that found too many waiting",
    program: admission("for (let i = 0; i < 513; i++) admission.request(new EventEmitter());"),
    limit: "maxWaiting",
    chosen: "500",
  },
  {
    name: "a client that waited too long",
    program: admission(
      'admission.request(new EventEmitter()); admission.request(new EventEmitter()); clock.advance("11s");',
    ),
    limit: "waitTimeout",
    chosen: '"9s"',
  },
];

for (const { name, program, limit, chosen } of firstCuts) {
  test(`${name} is said, by the name of its limit, where nobody chose that`, () => {
    const warnings = warningsOf(`const limits = {}; ${program}`);
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.match(
      warnings[0] ?? "",
      new RegExp(
        `^PortreeveLimitWarning a client was cut off by ${limit}, at its default of .*safetyLimits: { ${limit}:`,
      ),
    );
    assert.deepEqual(warningsOf(`const limits = { ${limit}: ${chosen} }; ${program}`), []);
  });
}

test("a form over a limit is said, by the name of its limit, where nobody chose that", () => {
  const warnings = warningsOf(`const own = undefined; ${form}`);
  assert.equal(warnings.length, 1, warnings.join("\n"));
  assert.match(
    warnings[0] ?? "",
    /^PortreeveLimitWarning a client was cut off by maxFormDataFieldLength, at its default/,
  );
  assert.deepEqual(warningsOf(`const own = { safetyLimits: { maxFormDataFieldLength: 5000 } }; ${form}`), []);
});

for (const protocol of ["http", "http2"] as const) {
  test(`${protocol}: a deadline that the program has moved is blamed on no limit`, () => {
    assert.deepEqual(warningsOf(`const limits = {}; ${unanswered(protocol, true)}`), []);
  });
}
