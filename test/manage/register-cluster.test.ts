import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { get, startApp } from "../support/app.ts";
import type { AppOptions } from "../support/app.ts";
import { another } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { connectTo } from "../support/tcp-client.ts";
import type { TcpClient } from "../support/tcp-client.ts";

/** Two workers behind one port; each says so when it has begun a slow request. */
const clustered = `
if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork();
  let ready = 0;
  cluster.on("listening", (worker, { port }) => { if (++ready === 2) console.log("ready " + port + ";"); });
  cluster.on("message", (worker, message) => console.log("message", message));
  cluster.on("exit", () => console.log("worker exit"));
} else {
  process.on("message", (message) => console.log("message", message));
  createServer((request, response) => {
    console.log("got by " + cluster.worker.id + ";");
    setTimeout(() => response.end("slow"), 600);
  }).listen(0, "127.0.0.1");
}
`;

async function startCluster(t: TestContext, code: string, options?: AppOptions): Promise<[Program, number]> {
  const app = startApp(t, clustered + code, options);
  const [, port] = await app.says(/^ready (\d+);$/m);
  return [app, Number(port)];
}

/** Requests in flight in both workers. */
async function keepBusy(t: TestContext, app: Program, port: number): Promise<TcpClient[]> {
  const clients = await Promise.all(Array.from({ length: 4 }, () => connectTo(t, port)));
  for (const client of clients) client.write(get("/slow"));
  await app.says(/(got by \d;\n[^]*){4}/);
  assert.match(app.stdout, /got by 1;/);
  assert.match(app.stdout, /got by 2;/);
  return clients;
}

async function allServed(clients: readonly TcpClient[]): Promise<void> {
  for (const client of clients) {
    assert.match(await client.all(), /^HTTP\/1\.1 200 [^]*Connection: close[^]*slow/);
    client.end();
  }
}

for (const how of ["--import", "portreeve run"] as const) {
  const run = how === "--import" ? {} : { run: [] };

  test(`SIGTERM to the primary of a cluster loses no request of its workers (${how})`, async (t) => {
    const [app, port] = await startCluster(t, "", run);
    const clients = await keepBusy(t, app, port);
    app.signal("SIGTERM");
    await allServed(clients);
    assert.equal(await app.ended, "SIGTERM", app.stderr);
    assert.doesNotMatch(
      app.stdout,
      /message/,
      "the app sees nothing of what the primary and its workers tell each other",
    );
  });

  test(`Ctrl-C, a signal to everybody at once, loses no request (${how})`, async (t) => {
    const [app, port] = await startCluster(t, "", { ...run, spawn: { detached: true } });
    const clients = await keepBusy(t, app, port);
    process.kill(-app.pid, "SIGINT");
    await allServed(clients);
    assert.equal(await app.ended, "SIGINT", app.stderr);
  });
}

test("the primary's own handler runs when the workers have drained, while they still live", async (t) => {
  const own = `if (cluster.isPrimary) process.on("SIGTERM", () => {
    console.log("workers", Object.keys(cluster.workers).length);
    process.exit(7);
  });`;
  const [app, port] = await startCluster(t, own);
  const clients = await keepBusy(t, app, port);
  app.signal("SIGTERM");
  await allServed(clients);
  assert.equal(await app.ended, 7, app.stderr);
  assert.match(app.stdout, /^workers 2$/m);
  assert.doesNotMatch(app.stdout, /worker exit/);
});

test("SIGTERM to one worker drains that worker alone", async (t) => {
  const own = 'if (cluster.isWorker) console.log("pid " + cluster.worker.id + " " + process.pid + ";");';
  const [app, port] = await startCluster(t, own);
  const clients = await keepBusy(t, app, port);
  const [, pid] = await app.says(/^pid 1 (\d+);$/m);
  process.kill(Number(pid), "SIGTERM");
  for (const client of clients) await client.gets(/200 OK[^]*slow/);
  await app.says(/^worker exit$/m);
  const late = await connectTo(t, port);
  late.write(get("/slow"));
  await late.gets(/200 OK[^]*slow/);
  for (const client of [...clients, late]) client.end();
  app.signal("SIGTERM");
  assert.equal(await app.ended, "SIGTERM", app.stderr);
});

test("when the whole group is signalled, no worker ends before the last has drained, so that no app starts others", async (t) => {
  const own = `if (cluster.isPrimary) cluster.on("exit", () => { console.log("forked again"); cluster.fork(); });`;
  const [app, port] = await startCluster(t, own, { spawn: { detached: true } });
  const clients = await keepBusy(t, app, port);
  process.kill(-app.pid, "SIGTERM");
  await allServed(clients);
  assert.equal(await app.ended, "SIGTERM", app.stderr);
  assert.doesNotMatch(app.stdout, /forked again/);
});

test("a worker that has drained before the others waits for them, and so does one without a server", async (t) => {
  const own = `if (cluster.isPrimary) {
    cluster.fork({ NO_SERVER: "1" });
    cluster.on("exit", (worker) => console.log("ended early " + worker.id));
  }`;
  const code = clustered.replace(
    "} else {",
    "} else if (process.env.NO_SERVER) { setInterval(() => {}, 1000); console.log('up;'); } else {",
  );
  const app = startApp(t, code + own, { spawn: { detached: true } });
  const [, port] = await app.says(/^ready (\d+);$/m);
  const client = await connectTo(t, Number(port));
  client.write(get("/slow"));
  await app.says(/^up;$/m);
  await app.says(/got by/);
  process.kill(-app.pid, "SIGTERM");
  await allServed([client]);
  assert.equal(await app.ended, "SIGTERM", app.stderr);
  assert.doesNotMatch(app.stdout, /ended early/);
});

test("workers' own handlers run after the drain when the whole group is signalled", async (t) => {
  const own = `if (cluster.isWorker) process.on("SIGTERM", () => { console.log("told " + cluster.worker.id); process.exit(); });
  else process.on("SIGTERM", () => setTimeout(() => process.exit(7), 500));`;
  const [app, port] = await startCluster(t, own, { spawn: { detached: true } });
  const clients = await keepBusy(t, app, port);
  process.kill(-app.pid, "SIGTERM");
  await allServed(clients);
  assert.equal(await app.ended, 7, app.stderr);
  assert.match(app.stdout, /^told 1$/m);
  assert.match(app.stdout, /^told 2$/m);
});

test("each process of a cluster says what its drain came to", async (t) => {
  const [app, port] = await startCluster(t, "", { run: [] });
  const clients = await keepBusy(t, app, port);
  app.signal("SIGTERM");
  await allServed(clients);
  assert.equal(await app.ended, "SIGTERM", app.stderr);
  const lines = app.stderr.trimEnd().split("\n");
  assert.equal(lines.length, 3, app.stderr);
  const finished = lines.map((line) =>
    /^(portreeve(?:: worker \d)?): drained in \S+: (\d) finished, 0 idle/.exec(line),
  );
  assert.deepEqual(
    finished.map((match) => match?.[1] ?? "").toSorted((a, b) => a.localeCompare(b)),
    ["portreeve", "portreeve: worker 1", "portreeve: worker 2"],
  );
  assert.equal(
    finished.reduce((sum, match) => sum + Number(match?.[2]), 0),
    4,
  );
  assert.match(app.stderr, /^portreeve: drained in [1-9]\d\dms/m, "the primary has waited for its workers");
});

test("a worker that is made while its primary ends drains at once, and serves nobody", async (t) => {
  const own = `if (cluster.isPrimary) {
    process.on("SIGTERM", () => setTimeout(() => process.exit(7), 1500));
    cluster.on("exit", () => cluster.fork());
  } else setTimeout(() => console.log("up " + cluster.worker.id + ";"), 100);`;
  const [app, port] = await startCluster(t, own, { spawn: { detached: true } });
  process.kill(-app.pid, "SIGTERM");
  await app.says(/^up 4;$/m);
  await assert.rejects(connectTo(t, port), { code: "ECONNREFUSED" });
  assert.equal(await app.ended, 7, app.stderr);
});

test(
  "a worker whose primary does not answer drains and ends",
  { skip: !existsSync("/proc/self/status") && "needs /proc" },
  async (t) => {
    const own = 'if (cluster.isWorker) console.log("pid " + cluster.worker.id + " " + process.pid + ";");';
    const [app] = await startCluster(t, own);
    const [, pid] = await app.says(/^pid 1 (\d+);$/m);
    app.signal("SIGSTOP");
    process.kill(Number(pid), "SIGTERM");
    await ended(Number(pid));
    app.signal("SIGCONT");
    app.signal("SIGTERM");
    assert.equal(await app.ended, "SIGTERM", app.stderr);
  },
);

/** Settles once a process runs no more: its parent may be yet to hear of it. */
async function ended(pid: number): Promise<void> {
  while (/^State:\t[^Z]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))) await another();
}
