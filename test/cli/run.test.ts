import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { busyClient, get, idleClient, portOf, startApp, writeApp } from "../support/app.ts";
import { projectRoot } from "../support/paths.ts";
import { another, startProgram } from "../support/program.ts";
import { connectTo } from "../support/tcp-client.ts";
import { run } from "./portreeve.ts";

const web = 'listen(createServer(handler), 0, "127.0.0.1");\n';

for (const kind of ["cjs", "mjs"] as const) {
  test(`a program runs as with node, drains on SIGTERM, and one line says what came of it (${kind})`, async (t) => {
    const app = startApp(t, `${web}console.log("args", process.argv.slice(2).join());`, {
      kind,
      run: [],
      args: ["--port", "1", "--limit", "x"],
    });
    const port = await portOf(app);
    await app.says(/^args --port,1,--limit,x$/m);
    const idle = await idleClient(t, port);
    const busy = await busyClient(t, app, port);
    app.signal("SIGTERM");
    assert.equal(await idle.ended, "FIN");
    idle.end();
    assert.match(await busy.all(), /^Connection: close\r$[^]*slow/m);
    busy.end();
    assert.equal(await app.ended, "SIGTERM", app.stderr);
    assert.match(app.stderr, /^portreeve: drained in \S+: 1 finished, 1 idle closed, 0 cut\n$/);
  });
}

test("who was cut, and why, is said", async (t) => {
  const app = startApp(t, web, { run: ["--grace", "200ms"] });
  const busy = await busyClient(t, app, await portOf(app), "/never");
  app.signal("SIGTERM");
  await busy.ended;
  busy.end();
  assert.equal(await app.ended, "SIGTERM");
  assert.match(
    app.stderr,
    /: 0 finished, 0 idle closed, 1 cut \(connection \d+: drain-cut while handling, open for \S+\)\n$/,
  );
});

test("exit codes pass through, and what the program reads and writes is its own", async (t) => {
  const ends: Readonly<Record<string, number>> = { "": 0, "process.exit(3);": 3, 'throw new Error("mine");': 1 };
  for (const [code, status] of Object.entries(ends)) {
    const app = startApp(t, code, { run: [] });
    assert.equal(await app.ended, status, app.stderr);
  }
  const echo = startApp(t, "process.stdin.pipe(process.stdout);", { run: [] });
  echo.child.stdin?.end("through");
  assert.equal(await echo.ended, 0);
  assert.equal(echo.stdout, "through");
});

test("a handler of the app's gets each signal once, and its exit code counts", async (t) => {
  const own =
    'process.on("SIGTERM", (...args) => { console.log("told", ...args); setTimeout(() => process.exit(7), 50); });';
  const app = startApp(t, web + own, { run: [] });
  await portOf(app);
  app.signal("SIGTERM");
  assert.equal(await app.ended, 7, app.stderr);
  assert.equal(app.stdout.match(/told SIGTERM 15/g)?.length, 1);
});

test("Ctrl-C in a terminal signals us and the program, and counts as one; the second time it ends all at once", async (t) => {
  const app = startApp(t, web, { run: [], spawn: { detached: true } });
  const port = await portOf(app);
  const idle = await idleClient(t, port);
  const busy = await busyClient(t, app, port);
  process.kill(-app.pid, "SIGINT");
  assert.equal(await idle.ended, "FIN");
  idle.end();
  assert.match(await busy.all(), /200 OK[^]*slow/);
  busy.end();
  assert.equal(await app.ended, "SIGINT", app.stderr);

  const stuck = startApp(t, web, { run: [], spawn: { detached: true } });
  const where = await portOf(stuck);
  const quiet = await idleClient(t, where);
  await busyClient(t, stuck, where, "/never");
  process.kill(-stuck.pid, "SIGINT");
  assert.equal(await quiet.ended, "FIN");
  await another();
  process.kill(-stuck.pid, "SIGINT");
  assert.equal(await stuck.ended, "SIGINT");
});

test("a second signal to us alone ends the program at once", async (t) => {
  const app = startApp(t, web, { run: [] });
  const port = await portOf(app);
  const idle = await idleClient(t, port);
  await busyClient(t, app, port, "/never");
  app.signal("SIGTERM");
  assert.equal(await idle.ended, "FIN");
  await another();
  app.signal("SIGTERM");
  assert.equal(await app.ended, "SIGTERM");
});

test("SIGHUP is handed on, once", async (t) => {
  const own = 'process.on("SIGHUP", (...args) => console.log("told", ...args));';
  const app = startApp(t, web + own, { run: [], spawn: { detached: true } });
  const port = await portOf(app);
  app.signal("SIGHUP");
  await app.says(/told SIGHUP 1/);
  process.kill(-app.pid, "SIGHUP");
  await app.says(/(told SIGHUP 1\n[^]*){2}/);
  await idleClient(t, port);
  app.signal("SIGTERM");
  assert.equal(await app.ended, "SIGTERM");
  assert.equal(app.stdout.match(/told SIGHUP 1/g)?.length, 2, app.stdout);
});

test("when we are killed, the program drains and ends, too", async (t) => {
  const app = startApp(t, `${web}console.log("pid " + process.pid + ";");`, { run: [] });
  const busy = await busyClient(t, app, await portOf(app));
  app.signal("SIGKILL");
  assert.match(await busy.all(), /^Connection: close\r$[^]*slow/m);
  busy.end();
  // Its streams close when the program has ended.
  assert.equal(await app.ended, "SIGKILL");
});

test("when we are killed while the program drains, it goes on draining", async (t) => {
  const app = startApp(t, web, { run: [] });
  const port = await portOf(app);
  const idle = await idleClient(t, port);
  const busy = await busyClient(t, app, port);
  app.signal("SIGTERM");
  assert.equal(await idle.ended, "FIN");
  idle.end();
  await another();
  app.signal("SIGKILL");
  assert.match(await busy.all(), /200 OK[^]*slow/);
  busy.end();
  assert.equal(await app.ended, "SIGKILL");
});

test("what NODE_OPTIONS loads and listens to signals holds neither us nor the program from draining", async (t) => {
  const preload = writeApp(t, 'process.on("SIGTERM", () => process.exit(7));');
  const app = startApp(t, web, { run: [], env: { NODE_OPTIONS: `--require ${preload}` } });
  const port = await portOf(app);
  const idle = await idleClient(t, port);
  const busy = await busyClient(t, app, port);
  app.signal("SIGTERM");
  assert.equal(await idle.ended, "FIN");
  idle.end();
  await another();
  assert.equal(app.child.exitCode, null, "we end with the program");
  assert.match(await busy.all(), /200 OK[^]*slow/);
  busy.end();
  assert.equal(await app.ended, 7, app.stderr);
});

test("a debugger reaches the program, and not us", async (t) => {
  const own = 'console.log(require("node:inspector").url());';
  const app = startApp(t, own, { run: [], env: { NODE_OPTIONS: "--inspect=127.0.0.1:0" } });
  assert.equal(await app.ended, 0, app.stderr);
  assert.match(app.stdout, /^ws:/);
  const free = await freePort();
  const fixed = startApp(t, own, { run: [], env: { NODE_OPTIONS: `--inspect=127.0.0.1:${free}` } });
  assert.equal(await fixed.ended, 0, fixed.stderr);
  assert.match(fixed.stdout, new RegExp(`^ws://127\\.0\\.0\\.1:${free}/`));
});

test("sockets that systemd hands to us are the program's", async (t) => {
  const own = "console.log(process.env.LISTEN_PID === String(process.pid), process.env.LISTEN_FDS);";
  const app = writeApp(t, own);
  const command = pathToFileURL(join(projectRoot, "cli/bin/portreeve.js")).href;
  const asSystemd = `
    process.env.LISTEN_PID = String(process.pid);
    process.env.LISTEN_FDS = "0";
    process.argv = [process.argv[0], "portreeve", "run", ${JSON.stringify(app)}];
    await import(${JSON.stringify(command)});`;
  const program = startProgram(t, [writeApp(t, asSystemd, "mjs")]);
  assert.equal(await program.ended, 0, program.stderr);
  assert.equal(program.stdout, "true 0\n");
});

test("they are not those of processes that the program starts", async (t) => {
  const own = `if (process.send === undefined) require("node:child_process").fork(process.argv[1]);
    else console.log(process.env.LISTEN_PID === String(process.ppid));`;
  const app = startApp(t, `process.env.LISTEN_PID ||= String(process.pid); ${own}`, { run: [] });
  assert.equal(await app.ended, 0, app.stderr);
  assert.equal(app.stdout, "true\n");
});

test("flags set limits, the drain delay and excluded ports", async (t) => {
  const limited = startApp(t, web, { run: ["--limit", "responseTimeout=300ms", "--drain-delay", "300ms"] });
  const port = await portOf(limited);
  const busy = await busyClient(t, limited, port, "/never");
  assert.match(await busy.all(), /^HTTP\/1\.1 503 /);
  busy.end();
  const begun = performance.now();
  limited.signal("SIGTERM");
  assert.equal(await limited.ended, "SIGTERM");
  assert.ok(performance.now() - begun >= 295, "not before the delay");

  const taken = await freePort();
  const excluded = startApp(t, 'listen(createServer(handler), Number(process.env.PORT), "127.0.0.1");', {
    run: ["--exclude", "1", "--exclude", String(taken), "--limit", "responseTimeout=100ms"],
    env: { PORT: String(taken) },
  });
  await portOf(excluded);
  const slow = await connectTo(t, taken);
  await slow.write(get("/slow")).gets(/200 OK[^]*slow/);
});

test("--observe-only cuts nothing and says what it would have cut", async (t) => {
  const limits = ["responseTimeout=100ms", "maxRequestBodyLength=4", "maxConcurrent=1"];
  const flags = ["--observe-only", ...limits.flatMap((limit) => ["--limit", limit])];
  const app = startApp(t, web, { run: flags });
  const port = await portOf(app);
  const slow = await busyClient(t, app, port);
  await slow.gets(/200 OK[^]*slow/);
  const long = await connectTo(t, port);
  await long.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nlonger").gets(/200 OK[^]*quick/);
  for (const client of [slow, long]) client.end();
  app.signal("SIGTERM");
  assert.equal(await app.ended, "SIGTERM");
  assert.match(app.stderr, /^portreeve: drained in /);
  assert.match(
    app.stderr,
    /^portreeve: responseTimeout \(response-timeout\) would have cut 1, and was only observed$/m,
  );
  assert.match(app.stderr, /^portreeve: maxRequestBodyLength would have cut 1, and was only observed$/m);
  assert.match(app.stderr, /^portreeve: maxConcurrent would have made wait 1, and was only observed$/m);
});

test("--observe-only says what it would have cut when a second signal ends the program, too", async (t) => {
  const app = startApp(t, web, { run: ["--observe-only", "--limit", "responseTimeout=50ms"] });
  const port = await portOf(app);
  const slow = await busyClient(t, app, port);
  await slow.gets(/200 OK[^]*slow/);
  await busyClient(t, app, port, "/never");
  app.signal("SIGTERM");
  assert.equal(await slow.ended, "FIN");
  await another();
  app.signal("SIGTERM");
  assert.equal(await app.ended, "SIGTERM");
  assert.match(
    app.stderr,
    /^portreeve: responseTimeout \(response-timeout\) would have cut [12], and was only observed$/m,
  );
});

/** One that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A folder with a configuration, and a folder in it. */
function configured(t: TestContext, config: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), "portreeve-config-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "inner"));
  const text = typeof config === "string" ? config : JSON.stringify(config);
  writeFileSync(join(folder, "portreeve.config.json"), text);
  return folder;
}

const shown =
  'console.log(process.env.PORTREEVE_GRACE + " " + process.env.PORTREEVE_LIMIT_IDLE_TIMEOUT + " " + process.env.PORTREEVE_EXCLUDE);';

test("flags come before the environment, and that before portreeve.config.json, here or above", async (t) => {
  const folder = configured(t, {
    $schema: "https://example.com/portreeve.schema.json",
    grace: "1s",
    limits: { idleTimeout: "1s", minSendRate: { bytesPerSecond: 100 }, shutdownGracePeriod: null },
    exclude: [1, 2],
    observeOnly: false,
  });
  const env = { PORTREEVE_GRACE: "2s", PORTREEVE_LIMIT_IDLE_TIMEOUT: "2s" };
  const spawn = { cwd: join(folder, "inner") };
  const printed = async (flags: string[], given: NodeJS.ProcessEnv): Promise<string> => {
    const app = startApp(t, shown, { run: flags, env: given, spawn });
    assert.equal(await app.ended, 0, app.stderr);
    return app.stdout;
  };
  assert.equal(await printed([], {}), "1s 1s 1,2\n");
  assert.equal(await printed([], env), "2s 2s 1,2\n");
  assert.equal(await printed(["--grace", "3s", "--limit", "idleTimeout=3s", "--exclude", "3"], env), "3s 3s 3\n");
  const other = configured(t, { grace: "4s" });
  const named = await printed(["--config", join(other, "portreeve.config.json")], {});
  assert.equal(named, "4s undefined undefined\n");
});

test("a list of the configuration may be empty", async (t) => {
  const app = startApp(t, shown, { run: [], spawn: { cwd: configured(t, { exclude: [] }) } });
  assert.equal(await app.ended, 0, app.stderr);
});

test("every mistake in the configuration is one line that says where, what was expected and what is there", async (t) => {
  const file = String.raw`^portreeve: portreeve\.config\.json: `;
  const mistakes: readonly [config: unknown, line: string][] = [
    ["", "expected a JSON object, got undefined"],
    ["{", "expected JSON: .+"],
    [[], "expected an object, got Array"],
    [3, "expected a JSON object, got 3"],
    [{ limits: [] }, "limits: expected an object, got Array"],
    [{ limits: { idelTimeout: 3 } }, 'limits\\.idelTimeout: expected no such key, got "idelTimeout"'],
    [{ limits: { idleTimeout: "3 weeks" } }, 'limits\\.idleTimeout: expected a duration .+, got "3 weeks"'],
    [{ limits: { maxConcurrent: 0 } }, 'limits\\.maxConcurrent: expected a positive integer or Infinity, got "0"'],
    [{ limits: { minSendRate: { rate: 1 } } }, "limits\\.minSendRate: expected bytes a second, .+, got Object"],
    [{ grace: "" }, 'grace: expected a value, got ""'],
    [{ limits: { responseTimeout: "" } }, 'limits\\.responseTimeout: expected a value, got ""'],
    [{ grace: -1 }, "grace: expected milliseconds, .+, got -1"],
    [{ gracee: 1 }, 'gracee: expected no such key, got "gracee"'],
    [{ exclude: ["http"] }, 'exclude\\.0: expected a port, got "http"'],
    [{ observeOnly: "yes" }, 'observeOnly: expected true or false, got "yes"'],
  ];
  for (const [config, line] of mistakes) {
    const app = startApp(t, shown, { run: [], spawn: { cwd: configured(t, config) } });
    assert.equal(await app.ended, 2, line + app.stderr);
    assert.match(app.stderr, new RegExp(`${file}${line}\n$`));
    assert.equal(app.stdout, "");
  }
});

test("every wrong flag or variable is one line that names it, and exit code 2", async (t) => {
  const app = writeApp(t, 'console.log("started");');
  const mistakes: readonly [flags: readonly string[], line: RegExp][] = [
    [[], /^missing required argument 'app'$/],
    [["--grace", "soon", app], /^--grace: expected a duration such as .+, got "soon"$/],
    [["--grace=", app], /^--grace: expected a value, got ""$/],
    [["--drain-delay", "Infinity", app], /^--drain-delay: expected a duration .+ finite, got "Infinity"$/],
    [["--limit", "idleTimeout=3w", app], /^--limit idleTimeout: expected a duration .+, got "3w"$/],
    [["--limit", "nonsense=1", app], /^--limit nonsense=1: there is no limit nonsense/],
    [["--exclude", "http", app], /^--exclude: expected ports .+, got "http"$/],
    [["--config", "no.json", app], /^--config no\.json: no such file$/],
    [["--obsrve-only", app], /^unknown option '--obsrve-only' \(Did you mean --observe-only\?\)$/],
    [["no/such/app.js"], /^no\/such\/app\.js: no such program$/],
  ];
  for (const [flags, line] of mistakes) {
    const { stdout, stderr, code } = await run(t, "run", ...flags);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.equal(stderr.split("\n").length, 2, stderr);
    assert.match(stderr.trimEnd().replace(/^portreeve: /, ""), line);
  }
  const wrong = startApp(t, "", { run: [], env: { PORTREEVE_GRACE: "soon" } });
  assert.equal(await wrong.ended, 2);
  assert.match(wrong.stderr, /^portreeve: PORTREEVE_GRACE: expected a duration .+, got "soon"\n$/);
});

test("--help lists the flags and the limits, and shells complete them", async (t) => {
  const { stdout, code } = await run(t, "run", "--help");
  assert.equal(code, 0);
  const flags = ["--limit", "--grace", "--drain-delay", "--exclude", "--observe-only", "--config"];
  for (const word of [...flags, "responseTimeout +60s"]) assert.match(stdout, new RegExp(word));
  const completions = async (...words: string[]): Promise<string> => (await run(t, "complete", "--", ...words)).stdout;
  const offered = await completions("run", "--");
  for (const flag of flags) assert.ok(offered.includes(flag), flag);
  assert.match(await completions("run", "--limit", "resp"), /^responseTimeout=/m);
});
