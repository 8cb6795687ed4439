import assert from "node:assert/strict";
import { test } from "node:test";
import { busyClient, idleClient, portOf, register, startApp, writeApp } from "../support/app.ts";
import { another, startProgram } from "../support/program.ts";
import { connectTo } from "../support/tcp-client.ts";

const web = 'listen(createServer(handler), 0, "127.0.0.1");\n';

/** What the app has printed, without what the helpers wait for. */
function said(stdout: string): string[] {
  return stdout.split("\n").filter((line) => line !== "" && !/^(listening|got)/.test(line));
}

for (const kind of ["cjs", "mjs"] as const) {
  test(`SIGTERM lets the request in flight finish and ends idle clients at once; then the status is 143 (${kind})`, async (t) => {
    const app = startApp(t, web, { kind });
    const port = await portOf(app);
    const idle = await idleClient(t, port);
    const busy = await busyClient(t, app, port);
    app.signal("SIGTERM");
    assert.equal(await idle.ended, "FIN");
    assert.doesNotMatch(busy.received, /slow/, "the idle one did not wait for the busy one");
    idle.end();
    const answer = await busy.all();
    assert.match(answer, /^HTTP\/1\.1 200 [^]*slow/);
    assert.match(answer, /^Connection: close\r$/m);
    assert.equal(await app.ended, "SIGTERM", app.stderr);
    assert.equal(app.stderr, "");
  });
}

test("SIGINT without a handler ends the process as SIGINT does", async (t) => {
  const app = startApp(t, web);
  await portOf(app);
  app.signal("SIGINT");
  assert.equal(await app.ended, "SIGINT", app.stderr);
});

const handlers: Readonly<Record<string, string>> = {
  on: 'process.on("SIGTERM", (...args) => { console.log("on", ...args); process.exit(7); });',
  once: 'process.once("SIGTERM", (...args) => { console.log("once", ...args); process.exit(7); });',
  async: `process.on("SIGTERM", async (...args) => {
    console.log("async", ...args);
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.exit(7);
  });`,
};

for (const [name, code] of Object.entries(handlers)) {
  test(`the app's own handler runs after the drain, once, with its arguments, and its exit code counts (${name})`, async (t) => {
    const app = startApp(t, web + code);
    const busy = await busyClient(t, app, await portOf(app));
    app.signal("SIGTERM");
    assert.match(await busy.all(), /slow/);
    assert.deepEqual(said(app.stdout), [], "not before the request has finished");
    busy.end();
    assert.equal(await app.ended, 7, app.stderr);
    assert.deepEqual(said(app.stdout), [`${name} SIGTERM 15`]);
  });
}

test("all handlers run, those too that were added while the servers drained; one that ends nothing leaves the app alive", async (t) => {
  const app = startApp(
    t,
    `process.on("SIGTERM", () => console.log("first"));
    process.once("SIGTERM", () => {
      console.log("second");
      const alive = setInterval(() => {}, 1000);
      process.once("SIGTERM", () => { console.log("again"); clearInterval(alive); });
    });
    const late = (request, response) => {
      if (request.method === "GET") return handler(request, response);
      console.log("got /late");
      request.resume().on("end", () => {
        process.once("SIGTERM", () => console.log("late"));
        response.end("slow");
      });
    };
    listen(createServer(late), 0, "127.0.0.1");`,
  );
  const port = await portOf(app);
  const idle = await idleClient(t, port);
  const busy = await connectTo(t, port);
  busy.write("POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
  await app.says(/got \/late/);
  app.signal("SIGTERM");
  assert.equal(await idle.ended, "FIN", "the servers drain");
  idle.end();
  busy.write("body");
  assert.match(await busy.all(), /slow/);
  busy.end();
  await app.says(/^late$/m);
  assert.deepEqual(said(app.stdout), ["first", "second", "late"]);
  app.signal("SIGTERM");
  assert.equal(await app.ended, 0, app.stderr);
  assert.deepEqual(said(app.stdout), ["first", "second", "late", "first", "again"]);
});

test("a second signal passes at once, in place of the first, and closes what is left", async (t) => {
  const own = `process.on("SIGTERM", () => console.log("told"));
    process.on("exit", () => console.log("exit"));`;
  const app = startApp(t, web + own);
  const port = await portOf(app);
  const idle = await idleClient(t, port);
  const busy = await busyClient(t, app, port, "/never");
  app.signal("SIGTERM");
  assert.equal(await idle.ended, "FIN");
  idle.end();
  assert.deepEqual(said(app.stdout), []);
  await another();
  app.signal("SIGTERM");
  await app.says(/^told$/m);
  await busy.ended;
  busy.end();
  assert.equal(await app.ended, 0, "nothing keeps it alive, and its handler does not end it");
  assert.deepEqual(said(app.stdout), ["told", "exit"]);
});

test("a second signal without a handler ends the process now", async (t) => {
  const app = startApp(t, web);
  const port = await portOf(app);
  const idle = await idleClient(t, port);
  await busyClient(t, app, port, "/never");
  app.signal("SIGTERM");
  assert.equal(await idle.ended, "FIN");
  await another();
  app.signal("SIGINT");
  assert.equal(await app.ended, "SIGINT");
});

test("a signal that comes twice at once, as npm sends it on beside the terminal, counts as one", async (t) => {
  const app = startApp(t, `${web}process.on("SIGINT", () => { console.log("told"); process.exit(7); });`);
  const busy = await busyClient(t, app, await portOf(app));
  app.signal("SIGINT");
  app.signal("SIGINT");
  assert.match(await busy.all(), /200 OK[^]*slow/);
  busy.end();
  assert.equal(await app.ended, 7, app.stderr);
  assert.deepEqual(said(app.stdout), ["told"]);
});

test("a signal that comes twice at once counts as one though the drain was over in between", async (t) => {
  const own = `process.once("SIGINT", () => { console.log("told"); setTimeout(() => process.exit(7), 300); });`;
  const app = startApp(t, web + own);
  const idle = await idleClient(t, await portOf(app));
  app.signal("SIGINT");
  assert.equal(await idle.ended, "FIN");
  idle.end();
  app.signal("SIGINT");
  assert.equal(await app.ended, 7, app.stderr);
});

test("what a preload listens for before us is held, too, each listener as it was", async (t) => {
  const preload = writeApp(
    t,
    `process.once("SIGTERM", (...args) => console.log("preload, once", ...args));
    process.on("SIGTERM", () => { console.log("preload"); setTimeout(() => process.exit(7), 50); });`,
  );
  const file = writeApp(t, web);
  const app = startProgram(t, ["--require", preload, "--import", register, file]);
  const busy = await busyClient(t, app, await portOf(app));
  app.signal("SIGTERM");
  assert.match(await busy.all(), /200 OK[^]*slow/);
  assert.deepEqual(said(app.stdout), [], "not before the request has finished");
  busy.end();
  assert.equal(await app.ended, 7, app.stderr);
  assert.deepEqual(said(app.stdout), ["preload, once SIGTERM 15", "preload"]);
});

test("a process without a server gets its signals at once, and its listeners are its own again", async (t) => {
  const plain = startApp(t, 'setInterval(() => {}, 1000); console.log("up");');
  await plain.says(/up/);
  plain.signal("SIGTERM");
  assert.equal(await plain.ended, "SIGTERM");
  const handled = startApp(
    t,
    `setInterval(() => {}, 1000);
    process.on("SIGTERM", () => { console.log("count", process.listenerCount("SIGTERM")); process.exit(3); });
    console.log("up");`,
  );
  await handled.says(/up/);
  handled.signal("SIGTERM");
  assert.equal(await handled.ended, 3);
  assert.match(handled.stdout, /^count 1$/m);
});

test("a drain ends with the grace period, whatever a handler of requests does", async (t) => {
  const app = startApp(t, web, { env: { PORTREEVE_GRACE: "200ms" } });
  const busy = await busyClient(t, app, await portOf(app), "/never");
  const begun = performance.now();
  app.signal("SIGTERM");
  assert.match(await busy.all(), /^(HTTP\/1\.1 503 |$)/);
  assert.equal(await app.ended, "SIGTERM");
  assert.ok(performance.now() - begun >= 195, "not early");
});

test("during the drain delay everything is still served, new clients too", async (t) => {
  const app = startApp(t, web, { env: { PORTREEVE_DRAIN_DELAY: "500ms" } });
  const port = await portOf(app);
  const early = await idleClient(t, port);
  const begun = performance.now();
  app.signal("SIGTERM");
  const late = await idleClient(t, port);
  early.write("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n");
  await early.gets(/quick[^]*quick/);
  for (const client of [early, late]) {
    assert.equal(await client.ended, "FIN");
    client.end();
  }
  assert.equal(await app.ended, "SIGTERM");
  assert.ok(performance.now() - begun >= 495, "not early");
});

test("exit codes are the app's own", async (t) => {
  const up = 'listen(createServer(), 0, "127.0.0.1");';
  const ends: readonly [code: string, status: number][] = [
    ["", 0],
    ["process.exit(3);", 3],
    ["process.exitCode = 4;", 4],
    ['throw new Error("mine");', 1],
    [`${up} process.on("exit", () => { process.exitCode = 5; }); setTimeout(() => process.exit(), 10);`, 5],
    [`${up} setTimeout(() => { throw new Error("mine"); }, 10);`, 1],
  ];
  for (const [code, status] of ends) {
    const app = startApp(t, code);
    assert.equal(await app.ended, status, code + app.stderr);
    assert.equal(app.stderr.includes("mine"), code.includes("mine"), app.stderr);
  }
});
