/**
 * A program whose servers one copy of the package manages, with no code, and that imports another: as where the preload is
 * installed beside the app, and the app brings its own.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { TestContext } from "node:test";
import { get, portOf, register } from "../support/app.ts";
import { projectRoot } from "../support/paths.ts";
import { startProgram } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { TemporaryFolder } from "../support/run-script.ts";
import { connectTo } from "../support/tcp-client.ts";

const prelude = `
  import { createServer } from "node:http";
  import { connectionOf, custodianOf, healthHandler, isConnection, manage, requestOf } from "portreeve";
  import { currentCustodian, isCustodian, makeCustodian } from "portreeve/custodian";
  const listen = (server) =>
    server.listen(0, "127.0.0.1", () => console.log("listening " + server.address().port + ";"));
`;

/** Elsewhere, with a copy of the package of its own. */
const folder = new TemporaryFolder();
after(() => folder[Symbol.dispose]());
const packages = join(folder.path, "node_modules");
mkdirSync(join(packages, "portreeve"), { recursive: true });
for (const part of ["package.json", "dist"]) {
  cpSync(join(projectRoot, part), join(packages, "portreeve", part), { recursive: true });
}
symlinkSync(join(projectRoot, "node_modules/@fastify"), join(packages, "@fastify"), "junction");
let apps = 0;

/** Starts an app there, under the preload of ours. */
function startApp(t: TestContext, code: string, env: NodeJS.ProcessEnv = {}): Program {
  const name = `app-${++apps}.mjs`;
  folder.write(name, prelude + code);
  return startProgram(t, ["--import", register, name], env, { cwd: folder.path });
}

/** One request on a connection of its own, and the body of its answer. */
async function ask(t: TestContext, app: Program, request: string): Promise<string> {
  const client = await connectTo(t, await portOf(app));
  client.write(request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  const answer = await client.all();
  client.end();
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

function form(body: string, type = "multipart/form-data; boundary=x"): string {
  return `POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const part = (name: string, rest: string, body: string): string =>
  `--x\r\nContent-Disposition: form-data; name="${name}"${rest}\r\n\r\n${body}\r\n`;

test("the app finds the connections and requests that the preload manages, and their owners", async (t) => {
  const app = startApp(
    t,
    `console.log(import.meta.resolve("portreeve") + " is its own");
    listen(createServer((request, response) => {
      const connection = connectionOf(request);
      requestOf(request).resetTimeout("5m");
      const { deadline, signal } = requestOf(response);
      const owner = custodianOf(request);
      const left = deadline - connection.manager.timers.clock.now();
      owner.defer(() => console.log("request over"));
      connection.custodian.defer(() => console.log("connection over, " + connection.closeReason));
      response.end(JSON.stringify([
        isConnection(connection), connection.phase, left > 299_000 && left <= 300_000, signal.aborted,
        isCustodian(owner), owner.isBelow(connection.custodian), connectionOf(request.socket) === connection,
      ]));
    }));`,
  );
  assert.deepEqual(JSON.parse(await ask(t, app, get("/"))), [true, "handling", true, false, true, true, true]);
  await app.says(/^request over$/m);
  await app.says(/^connection over, (completed|client-ended)$/m);
  const [, own] = await app.says(/^file:\/\/(.*) is its own$/m);
  assert.ok(own !== undefined && !register.includes(own) && !own.startsWith(projectRoot), own);
});

test("the current owner is the same in both copies, and what the app makes there ends with the request", async (t) => {
  const app = startApp(
    t,
    `listen(createServer((request, response) => {
      const owner = custodianOf(request);
      owner.run(async () => {
        await null;
        const below = makeCustodian();
        below.defer(() => console.log("what was made below is over"));
        response.end(JSON.stringify([currentCustodian() === owner, below.parent === owner]));
      }).catch((error) => response.end(String(error)));
    }));`,
  );
  assert.equal(await ask(t, app, get("/")), JSON.stringify([true, true]));
  await app.says(/^what was made below is over$/m);
});

test("HTTP/2, TCP and their sockets are found, too", async (t) => {
  const app = startApp(
    t,
    `import { connect as connectHttp2, createServer as createHttp2 } from "node:http2";
    import { connect, createServer as createNet } from "node:net";
    const web = createHttp2().on("stream", (stream) => {
      const own = connectionOf(stream);
      console.log("stream " + [own === connectionOf(stream.session), requestOf(stream).connection === own, isCustodian(custodianOf(stream))]);
      stream.respond({ ":status": 200 });
      stream.end();
    });
    web.listen(0, "127.0.0.1", () => {
      const session = connectHttp2("http://127.0.0.1:" + web.address().port);
      session.request({ ":path": "/" }).resume().on("close", () => session.close());
    });
    const raw = createNet((socket) => {
      console.log("socket " + [isConnection(connectionOf(socket)), custodianOf(socket) === connectionOf(socket).custodian]);
      custodianOf(socket).defer(() => console.log("socket over"));
      connectionOf(socket).kill();
    });
    raw.listen(0, "127.0.0.1", () => connect(raw.address().port, "127.0.0.1").on("error", () => {}).resume());`,
  );
  await app.says(/^stream true,true,true$/m);
  await app.says(/^socket true,true$/m);
  await app.says(/^socket over$/m);
});

test("a drain on SIGTERM is one: the app's health handler says no, work in flight finishes, and the status is 143", async (t) => {
  const app = startApp(
    t,
    `import "portreeve/register"; // Its own as well: once a process is enough.
    const server = createServer((request, response) => {
      if (health(request, response)) return;
      console.log("got " + request.url);
      setTimeout(() => response.end("slow"), 600);
    });
    const health = healthHandler(server);
    listen(server);`,
    { PORTREEVE_DRAIN_DELAY: "400ms" },
  );
  assert.equal(await ask(t, app, get("/readyz")), "ok\n");
  const busy = await connectTo(t, await portOf(app));
  busy.write(get("/slow"));
  await app.says(/got \/slow/);
  app.signal("SIGTERM");
  // Until the signal has come; then for as long as the delay is.
  let ready = "ok\n";
  while (ready === "ok\n") ready = await ask(t, app, get("/readyz"));
  assert.equal(ready, "draining\n");
  assert.equal(await ask(t, app, get("/livez")), "ok\n");
  assert.match(await busy.all(), /Connection: close\r\n[^]*slow$/);
  busy.end();
  assert.equal(await app.ended, "SIGTERM", app.stderr);
  assert.equal(app.stderr, "");
});

test("the app's copy reads forms within the limits of the preload's, and its files are the request's", async (t) => {
  const app = startApp(
    t,
    `import { existsSync } from "node:fs";
    import { FormDataError, parseFormData } from "portreeve/form-data";
    listen(createServer(async (request, response) => {
      try {
        const { fields, files } = await parseFormData(request);
        for (const { path } of files) {
          if (path === null || !existsSync(path)) continue;
          custodianOf(request).defer(() => console.log("in a file, which is gone: " + !existsSync(path)));
        }
        response.end(JSON.stringify([[...fields.keys()], files.map(({ size }) => size)]));
      } catch (error) {
        response.writeHead(error instanceof FormDataError ? error.status : 500).end(error.message);
      }
    }));`,
    { PORTREEVE_LIMIT_MAX_FORM_DATA_FILE_LENGTH: "1kB", PORTREEVE_LIMIT_FORM_DATA_FILE_MEMORY_THRESHOLD: "100B" },
  );
  const file = (length: number): string => part("file", '; filename="a.txt"', "x".repeat(length));
  assert.equal(
    await ask(t, app, form(`${part("name", "", "value")}${file(500)}--x--\r\n`)),
    JSON.stringify([["name"], [500]]),
  );
  await app.says(/^in a file, which is gone: /m);
  assert.match(await ask(t, app, form(`${file(2000)}--x--\r\n`)), /maxFormDataFileLength/);
  assert.equal(
    await ask(t, app, form("a=1&b=2", "application/x-www-form-urlencoded")),
    JSON.stringify([["a", "b"], []]),
  );
});

test("a server that the app gives to its own manage is the app's, and the preload's other servers drain without it", async (t) => {
  const app = startApp(
    t,
    `const server = createServer((request, response) => response.end("own"));
    listen(server);
    server.on("listening", () => {
      const managed = manage(server, { safetyLimits: { shutdownGracePeriod: 0 } });
      process.once("SIGTERM", async () => console.log(JSON.stringify(await managed.drain())));
      console.log("taken over");
    });
    createServer().listen(0, "127.0.0.1");`,
  );
  await app.says(/taken over/);
  assert.equal(await ask(t, app, get("/")), "own");
  const idle = await connectTo(t, await portOf(app));
  idle.write(get("/"));
  await idle.gets(/own$/);
  app.signal("SIGTERM");
  await idle.ended;
  idle.end();
  await app.says(/"idle":1/);
  assert.equal(await app.ended, 0, app.stderr);
});
