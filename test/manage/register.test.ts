import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect as tlsConnect } from "node:tls";
import type { TestContext } from "node:test";
import { busyClient, get, idleClient, portOf, register, startApp } from "../support/app.ts";
import { certificate } from "../support/certificate.ts";
import { startProgram } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { TcpClient, connectTo } from "../support/tcp-client.ts";

/** A request of 600 ms is in flight when SIGTERM comes, and finishes; then the process ends with the signal's status. */
async function finishesInFlight(app: Program, client: TcpClient): Promise<void> {
  client.write(get("/slow"));
  await app.says(/got \/slow/);
  app.signal("SIGTERM");
  const answer = await client.all();
  assert.match(answer, /^HTTP\/1\.1 200 [^]*Connection: close[^]*slow/);
  client.end();
  assert.equal(await app.ended, "SIGTERM", app.stderr);
}

async function connectSecurely(t: TestContext, port: number): Promise<TcpClient> {
  const socket = tlsConnect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  return new TcpClient(socket);
}

test("https: the request in flight finishes", async (t) => {
  const { key, cert } = await certificate();
  const code = "listen(https.createServer({ key: process.env.KEY, cert: process.env.CERT }, handler), 0, '127.0.0.1');";
  const app = startApp(t, code, { env: { KEY: key, CERT: cert } });
  await finishesInFlight(app, await connectSecurely(t, await portOf(app)));
});

/** What a stream of HTTP/2 is answered. */
async function streamed(session: ClientHttp2Session, path: string): Promise<string> {
  const stream = session.request({ ":path": path });
  let text = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await once(stream, "end");
  return text;
}

for (const scheme of ["https", "http"] as const) {
  const how = scheme === "https" ? "secure" : "clear";
  test(`HTTP/2, ${how}: the stream in flight finishes and an idle session is told to go`, async (t) => {
    const { key, cert } = await certificate();
    const made =
      scheme === "https" ? "createSecureServer({ key: process.env.KEY, cert: process.env.CERT }, " : "createServer(";
    const app = startApp(t, `listen(http2.${made}handler), 0, "127.0.0.1");`, { env: { KEY: key, CERT: cert } });
    const port = await portOf(app);
    const open = async (): Promise<ClientHttp2Session> => {
      const session = connectHttp2(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
      t.after(() => session.destroy());
      assert.equal(await streamed(session, "/quick"), "quick");
      return session;
    };
    const [idle, busy] = [await open(), await open()];
    const goaway = once(idle, "goaway");
    const gone = once(idle, "close");
    const slow = streamed(busy, "/slow");
    await app.says(/got \/slow/);
    app.signal("SIGTERM");
    assert.equal((await goaway)[0], constants.NGHTTP2_NO_ERROR);
    await gone;
    assert.equal(await slow, "slow");
    assert.equal(await app.ended, "SIGTERM", app.stderr);
  });
}

test("a unix socket: the request in flight finishes", { skip: process.platform === "win32" }, async (t) => {
  const path = join(tmpdir(), `portreeve-${process.pid}.sock`);
  const app = startApp(t, "listen(createServer(handler), process.env.SOCKET);", { env: { SOCKET: path } });
  await app.says(/listening/);
  const socket = connect({ path, allowHalfOpen: true });
  t.after(() => socket.destroy());
  await once(socket, "connect");
  await finishesInFlight(app, new TcpClient(socket));
});

for (const run of [undefined, []]) {
  const how = run === undefined ? "--import" : "portreeve run";
  test(`a descriptor that was handed down: the request in flight finishes (${how})`, async (t) => {
    const outer = createServer().listen(0, "127.0.0.1");
    t.after(() => outer.close());
    await once(outer, "listening");
    const { fd } = (outer as unknown as { _handle: { fd: number } })._handle;
    const app = startApp(t, "listen(createServer(handler), { fd: 3 });", {
      env: { LISTEN_FDS: "1" },
      spawn: { stdio: ["pipe", "pipe", "pipe", fd] },
      ...(run && { run }),
    });
    await app.says(/listening/);
    const { port } = outer.address() as AddressInfo;
    outer.close();
    await finishesInFlight(app, await connectTo(t, port));
  });
}

test("net and tls: idle clients end in the drain, and what is in the middle of something has until the grace period", async (t) => {
  const { key, cert } = await certificate();
  const app = startApp(
    t,
    `const talk = (socket) => socket.on("error", () => {}).on("data", (data) => { socket.write(data); console.log("got " + data); });
    const plain = net.createServer(talk).listen(0, "127.0.0.1", () => console.log("plain " + plain.address().port + ";"));
    const secure = tls.createServer({ key: process.env.KEY, cert: process.env.CERT }, talk);
    secure.listen(0, "127.0.0.1", () => console.log("secure " + secure.address().port + ";"));`,
    { env: { KEY: key, CERT: cert, PORTREEVE_GRACE: "300ms" } },
  );
  const [, plain] = await app.says(/^plain (\d+);$/m);
  const [, secure] = await app.says(/^secure (\d+);$/m);
  const clients = [await connectTo(t, Number(plain)), await connectSecurely(t, Number(secure))];
  for (const client of clients) await client.write("hello").gets(/hello/);
  const begun = performance.now();
  app.signal("SIGTERM");
  for (const client of clients) {
    await client.ended;
    client.end();
  }
  assert.equal(await app.ended, "SIGTERM", app.stderr);
  assert.ok(performance.now() - begun < 5000, "long before the idle timeout");
});

test("all servers of the process drain as one", async (t) => {
  const app = startApp(
    t,
    `const one = listen(createServer(handler), 0, "127.0.0.1");
    const other = createServer(handler).listen(0, "127.0.0.1", () => console.log("other " + other.address().port + ";"));`,
  );
  const idle = await idleClient(t, await portOf(app));
  const [, port] = await app.says(/^other (\d+);$/m);
  const busy = await busyClient(t, app, Number(port));
  app.signal("SIGTERM");
  assert.equal(await idle.ended, "FIN");
  idle.end();
  assert.match(await busy.all(), /slow/);
  busy.end();
  assert.equal(await app.ended, "SIGTERM", app.stderr);
});

test("limits come from the environment and act", async (t) => {
  const app = startApp(t, 'listen(createServer(handler), 0, "127.0.0.1");', {
    env: { PORTREEVE_LIMIT_RESPONSE_TIMEOUT: "300ms", PORTREEVE_LIMIT_MIN_SEND_RATE: '{"bytesPerSecond":"1 kB"}' },
  });
  const busy = await busyClient(t, app, await portOf(app), "/never");
  assert.match(await busy.all(), /^HTTP\/1\.1 503 [^]*Connection: close/);
});

test("observing cuts nothing, and the drain still ends", async (t) => {
  const app = startApp(t, 'listen(createServer(handler), 0, "127.0.0.1");', {
    env: { PORTREEVE_LIMIT_RESPONSE_TIMEOUT: "100ms", PORTREEVE_OBSERVE_ONLY: "true", PORTREEVE_GRACE: "300ms" },
  });
  const port = await portOf(app);
  const slow = await busyClient(t, app, port);
  await slow.gets(/200 OK[^]*slow/);
  slow.end();
  const stuck = await busyClient(t, app, port, "/never");
  app.signal("SIGTERM");
  await stuck.ended;
  stuck.end();
  assert.equal(await app.ended, "SIGTERM", app.stderr);
});

test("a server on an excluded port is left alone", async (t) => {
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, "close");
  const app = startApp(
    t,
    `const server = createServer(handler);
    listen(server, Number(process.env.PORT), "127.0.0.1").once("listening", () => console.log("own", Object.hasOwn(server, "emit")));`,
    {
      env: { PORT: String(port), PORTREEVE_EXCLUDE: `1, ${port}`, PORTREEVE_LIMIT_RESPONSE_TIMEOUT: "100ms" },
    },
  );
  await app.says(/^own false$/m);
  const busy = await busyClient(t, app, port);
  await busy.gets(/200 OK[^]*slow/);
  app.signal("SIGTERM");
  assert.equal(await app.ended, "SIGTERM", "nothing to wait for");
});

test("a limit that no server so far enforces is said", async (t) => {
  const app = startApp(
    t,
    'const server = listen(net.createServer(), 0, "127.0.0.1").once("listening", () => server.close());',
    {
      env: { PORTREEVE_LIMIT_RESPONSE_TIMEOUT: "1s", PORTREEVE_LIMIT_IDLE_TIMEOUT: "1s" },
    },
  );
  assert.equal(await app.ended, 0);
  assert.match(app.stderr, /PortreeveRegisterWarning: a server of kind net does not enforce responseTimeout\n/);
});

test("a wrong variable is one line and exit code 2; variables of others, and empty ones, are nobody's mistake", async (t) => {
  const wrong: Readonly<Record<string, RegExp>> = {
    "PORTREEVE_GRACE=soon": /^portreeve: PORTREEVE_GRACE: expected a duration such as .*, got "soon"\n$/,
    "PORTREEVE_DRAIN_DELAY=Infinity":
      /^portreeve: PORTREEVE_DRAIN_DELAY: expected a duration .*finite, got "Infinity"\n$/,
    "PORTREEVE_EXCLUDE=80,http": /^portreeve: PORTREEVE_EXCLUDE: expected ports .*, got "80,http"\n$/,
    "PORTREEVE_OBSERVE_ONLY=perhaps":
      /^portreeve: PORTREEVE_OBSERVE_ONLY: expected 1, true, 0 or false, got "perhaps"\n$/,
    "PORTREEVE_LIMIT_IDLE_TIMEOUT=3 weeks":
      /^portreeve: PORTREEVE_LIMIT_IDLE_TIMEOUT: expected a duration .*, got "3 weeks"\n$/,
    "PORTREEVE_LIMIT_IDEL_TIMEOUT=3s":
      /^portreeve: PORTREEVE_LIMIT_IDEL_TIMEOUT: expected the name of a limit after PORTREEVE_LIMIT_, got "3s"\n$/,
    "PORTREEVE_LIMIT_MIN_SEND_RATE={": /^portreeve: PORTREEVE_LIMIT_MIN_SEND_RATE: expected a size .*, got "\{"\n$/,
  };
  for (const [setting, line] of Object.entries(wrong)) {
    const [name = "", value = ""] = setting.split("=");
    const app = startApp(t, 'console.log("started");', { env: { [name]: value } });
    assert.equal(await app.ended, 2, setting);
    assert.equal(app.stdout, "");
    assert.match(app.stderr, line);
  }
  const app = startApp(t, 'console.log("started");', {
    env: { PORTREEVE_PORT: "tcp://10.0.0.1:80", PORTREEVE_GRACE: "" },
  });
  assert.equal(await app.ended, 0, app.stderr);
});

test("it may be loaded twice, by require too, and in a worker thread", async (t) => {
  const app = startApp(
    t,
    `const { Worker, isMainThread } = require("node:worker_threads");
    const server = createServer(handler);
    if (isMainThread) {
      require(process.env.AGAIN);
      listen(server, 0, "127.0.0.1");
      console.log("listeners", process.listenerCount("SIGTERM"));
      new Worker(__filename, { stdout: true }).on("exit", (code) => console.log("worker", code)).stdout.pipe(process.stdout);
    } else server.listen(0, "127.0.0.1", () => {
      console.log("managed", Object.hasOwn(server, "emit"));
      server.close();
    });`,
    { env: { AGAIN: new URL(register).pathname } },
  );
  const busy = await busyClient(t, app, await portOf(app));
  await Promise.all([app.says(/^managed true$/m), app.says(/^worker 0$/m)]);
  assert.match(app.stdout, /^listeners 1$/m);
  app.signal("SIGTERM");
  assert.match(await busy.all(), /slow/);
  busy.end();
  assert.equal(await app.ended, "SIGTERM", app.stderr);
});

test("a program without servers runs as without us, and ends by itself", async (t) => {
  const program = startProgram(t, [
    "--import",
    register,
    "--eval",
    "console.log('done', process.listenerCount('SIGHUP'))",
  ]);
  assert.equal(await program.ended, 0, program.stderr);
  assert.equal(program.stdout, "done 0\n");
});
