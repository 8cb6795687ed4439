import assert from "node:assert/strict";
import { test } from "node:test";
import { busyClient, get, idleClient, portOf, startApp } from "../support/app.ts";
import { connectTo } from "../support/tcp-client.ts";

test("server.close() ends though clients are kept alive, after the request in flight, and calls back without an error", async (t) => {
  const app = startApp(
    t,
    `const server = listen(createServer(handler), 0, "127.0.0.1");
    process.stdin.once("data", () => {
      const same = server.close((error) => { console.log("closed", error); });
      console.log(same === server, server.listening);
      server.close((error) => { console.log("twice", error.code); process.exit(3); });
    });`,
  );
  const port = await portOf(app);
  const idle = await idleClient(t, port);
  const busy = await busyClient(t, app, port);
  app.child.stdin?.write("close\n");
  assert.equal(await idle.ended, "FIN");
  idle.end();
  assert.match(await busy.all(), /^Connection: close\r$[^]*slow/m);
  busy.end();
  assert.equal(await app.ended, 3, app.stderr);
  assert.match(app.stdout, /true false\n[^]*closed undefined\n/);
  assert.match(app.stdout, /^twice ERR_SERVER_NOT_RUNNING$/m);
});

test("a handler of SIGTERM that closes the server and exits in the callback works as ever", async (t) => {
  const app = startApp(
    t,
    `const server = listen(createServer(handler), 0, "127.0.0.1");
    process.on("SIGTERM", () => server.close((error) => process.exit(error ? 9 : 7)));`,
  );
  const port = await portOf(app);
  const idle = await idleClient(t, port);
  const busy = await busyClient(t, app, port);
  app.signal("SIGTERM");
  assert.match(await busy.all(), /slow/);
  for (const client of [idle, busy]) client.end();
  assert.equal(await app.ended, 7, app.stderr);
});

test("closing one server of several leaves the others alone, and it may listen again", async (t) => {
  const app = startApp(
    t,
    `const one = listen(createServer(handler), 0, "127.0.0.1");
    const other = createServer(handler).listen(0, "127.0.0.1", () => console.log("other " + other.address().port + ";"));
    process.stdin.once("data", () => one.close(() => {
      one.listen(0, "127.0.0.1", () => console.log("again " + one.address().port + ";"));
    }));`,
  );
  const first = await idleClient(t, await portOf(app));
  const [, other] = await app.says(/^other (\d+);$/m);
  const untouched = await idleClient(t, Number(other));
  app.child.stdin?.write("close\n");
  assert.equal(await first.ended, "FIN");
  first.end();
  const [, again] = await app.says(/^again (\d+);$/m);
  const second = await idleClient(t, Number(again));
  untouched.write(get("/quick"));
  await untouched.gets(/quick[^]*quick/);
  app.signal("SIGTERM");
  for (const client of [second, untouched]) {
    assert.equal(await client.ended, "FIN");
    client.end();
  }
  assert.equal(await app.ended, "SIGTERM", app.stderr);
});

test("closing what does not listen is an error, as ever", async (t) => {
  const app = startApp(
    t,
    `const server = createServer();
    server.close((error) => {
      console.log(error.code);
      listen(server, 0, "127.0.0.1").once("listening", () => {
        server.close(() => server.close((again) => console.log(again.code)));
      });
    });`,
  );
  assert.equal(await app.ended, 0, app.stderr);
  assert.equal(app.stdout.match(/ERR_SERVER_NOT_RUNNING/g)?.length, 2, app.stdout);
});

test("a taken port leaves the server as it was, and the app may try another", async (t) => {
  const app = startApp(
    t,
    `const first = listen(createServer(handler), 0, "127.0.0.1");
    first.once("listening", () => {
      const second = createServer(handler);
      let tries = 0;
      second.on("error", (error) => {
        console.log(error.code, Object.hasOwn(second, "emit"), Object.hasOwn(second, "close"), second.headersTimeout);
        tries++;
        if (tries < 20) second.listen(first.address().port, "127.0.0.1");
        else second.listen(0, "127.0.0.1", () => console.log("second " + second.address().port + ";"));
      });
      second.listen(first.address().port, "127.0.0.1");
    });`,
  );
  const [, port] = await app.says(/^second (\d+);$/m);
  assert.equal(app.stdout.match(/^EADDRINUSE false false 60000$/gm)?.length, 20, app.stdout);
  const client = await idleClient(t, Number(port));
  const busy = await busyClient(t, app, Number(port));
  app.signal("SIGTERM");
  assert.equal(await client.ended, "FIN");
  assert.match(await busy.all(), /slow/);
  for (const each of [client, busy]) each.end();
  assert.equal(await app.ended, "SIGTERM");
  assert.equal(app.stderr, "", "no warning of too many listeners either");
});

test("a port that cannot be, or a host that nobody knows, is the app's error and harms no later try", async (t) => {
  const app = startApp(
    t,
    `const server = createServer(handler);
    try { server.listen(99999); } catch (error) { console.log(error.code); }
    server.once("error", (error) => { console.log("error", error.syscall); listen(server, 0, "127.0.0.1"); });
    server.listen(0, "no-such-host.invalid");`,
  );
  const port = await portOf(app);
  assert.match(app.stdout, /^ERR_SOCKET_BAD_PORT\nerror getaddrinfo$/m);
  const busy = await busyClient(t, app, port);
  app.signal("SIGTERM");
  assert.match(await busy.all(), /slow/);
  busy.end();
  assert.equal(await app.ended, "SIGTERM", app.stderr);
});

test("a server that the app gives to manage() is the app's, before or after it listens", async (t) => {
  for (const code of [
    'const server = listen(createServer(handler), 0, "127.0.0.1"); const managed = manage(server, options);',
    'const server = createServer(handler); const managed = manage(server, options); listen(server, 0, "127.0.0.1");',
  ]) {
    const app = startApp(
      t,
      `import { manage } from "portreeve";
      const options = { safetyLimits: { responseTimeout: "200ms" } };
      ${code}
      process.on("SIGTERM", async () => { await managed.drain(); console.log("drained"); process.exit(7); });
      console.log("close is own:", Object.hasOwn(server, "close"));`,
      { kind: "mjs" },
    );
    const port = await portOf(app);
    const busy = await busyClient(t, app, port, "/never");
    assert.match(await busy.all(), /^HTTP\/1\.1 503 /, "its limits");
    busy.end();
    app.signal("SIGTERM");
    assert.equal(await app.ended, 7, app.stderr);
    assert.match(app.stdout, /^close is own: false$[^]*^drained$/m);
  }
});

test("a server of the app's own serve() is left alone", async (t) => {
  const app = startApp(
    t,
    `import { serve } from "portreeve";
    const server = await serve({
      port: 0,
      host: "127.0.0.1",
      readRequest: async ({ reader }) => ({ request: await reader.line(), close: true }),
      dispatch: ({ output }, line) => output.write(line),
    });
    console.log("listening " + server.port + ";");`,
    { kind: "mjs" },
  );
  const client = await connectTo(t, await portOf(app));
  assert.equal(await client.write("hello\n").all(), "hello");
  client.end();
  app.signal("SIGTERM");
  assert.equal(await app.ended, "SIGTERM");
  assert.equal(app.stderr, "");
});

/** A server that is closed and listens again at once, in the ways that programs have; `again` says how it is managed then. */
const restarts: Readonly<Record<string, string>> = {
  "in the callback of close": "server.close(again);",
  "when it emits 'close'": "server.once('close', again); server.close();",
  "without waiting": "server.close(); again();",
};

for (const [how, restart] of Object.entries(restarts)) {
  test(`a server that is closed and listens again is managed again: ${how}`, async (t) => {
    const app = startApp(
      t,
      `const server = listen(createServer(handler), 0, "127.0.0.1");
      const again = () => server.listen(0, "127.0.0.1", () => console.log("again " + server.address().port + ";"));
      process.stdin.once("data", () => { ${restart} });`,
    );
    const first = await busyClient(t, app, await portOf(app));
    app.child.stdin?.write("close\n");
    if (how === "without waiting") await app.says(/^again/m);
    // What was in flight is finished in any case.
    await first.gets(/200 OK[^]*slow$/);
    first.end();
    const [, port] = await app.says(/^again (\d+);$/m);
    const second = await idleClient(t, Number(port));
    second.write(get("/slow"));
    await app.says(/(got \/slow[^]*){2}/);
    app.signal("SIGTERM");
    assert.match(await second.all(), /Connection: close[^]*slow$/);
    second.end();
    assert.equal(await app.ended, "SIGTERM", app.stderr);
    assert.equal(app.stderr, "");
  });
}

test("a server that could not listen is closed and tries again, as Node's documentation shows it: it is managed", async (t) => {
  const app = startApp(
    t,
    `const blocker = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = blocker.address();
      const server = createServer(handler);
      server.once("error", ({ code }) => {
        console.log(code);
        blocker.close(() => {
          server.close();
          server.listen(port, "localhost", () => console.log("listening " + port + ";"));
        });
      });
      server.listen(port, "127.0.0.1");
    });`,
  );
  const port = await portOf(app);
  assert.match(app.stdout, /^EADDRINUSE$/m);
  const client = await connectTo(t, port);
  client.write(get("/slow"));
  await app.says(/got \/slow/);
  app.signal("SIGTERM");
  assert.match(await client.all(), /Connection: close[^]*slow$/);
  client.end();
  assert.equal(await app.ended, "SIGTERM", app.stderr);
});
