import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { test } from "node:test";
import { until } from "../support/clients.ts";
import { skip, startWithDescriptors } from "../support/few-descriptors.ts";

const descriptors = 64;
const clients = 150;

const serverScript = `
  process.on("warning", (warning) => console.log(JSON.stringify({ warning: warning.message })));
  const { serve } = await import(process.argv[1] + "/src/index.js");
  const server = await serve({
    port: 0,
    host: "127.0.0.1",
    safetyLimits: { waitTimeout: "30s" },
    readRequest: async (c) => { const line = await c.reader.line(); return line === null ? null : { request: line, close: line === "quit" }; },
    dispatch: (c, line) => { c.output.write(line + "\\n"); },
  });
  console.log(JSON.stringify({ port: server.port, maximum: server.effectiveMaxConcurrent }));
  let cpu = process.cpuUsage();
  setInterval(() => {
    const { user, system } = process.cpuUsage(cpu);
    cpu = process.cpuUsage();
    console.log(JSON.stringify({ served: server.served, waiting: server.waiting, cpu: (user + system) / 1000 }));
  }, 300);
`;

interface Said {
  port?: number;
  maximum?: number;
  warning?: string;
  served?: number;
  waiting?: number;
  cpu?: number;
}

test(
  "with hardly any descriptors a server says its effective maximum, serves that many, and the next when one ends",
  { skip },
  async (t) => {
    const { program: server, complaints } = startWithDescriptors(t, descriptors, serverScript);
    const said: Said[] = [];
    server.stdout.setEncoding("utf8").on("data", (text: string) => {
      for (const line of text.trim().split("\n")) said.push(JSON.parse(line) as Said);
    });
    await until(() => said.some(({ port }) => port !== undefined) && said.some(({ warning }) => warning !== undefined));
    const { port = 0, maximum = 0 } = said.find((one) => one.port !== undefined) ?? {};
    assert.ok(maximum >= 8 && maximum <= descriptors / 2, `${maximum} at once`);
    const { warning } = said.find((one) => one.warning !== undefined) ?? {};
    assert.match(warning ?? "", new RegExp(`maxConcurrent is 10000, but the descriptor limit allows ${maximum}`));

    const answered: Socket[] = [];
    let gone = 0;
    for (let i = 0; i < clients; i++) {
      const socket = connect(port, "127.0.0.1", () => socket.write("hello\n"));
      socket.on("error", () => {});
      socket.once("data", () => answered.push(socket));
      socket.on("close", () => gone++);
      t.after(() => socket.destroy());
    }
    await until(() => answered.length === maximum);
    await until(() => said.some(({ served, waiting = 0 }) => served === maximum && waiting > 0));
    const { waiting = 0 } = said.at(-1) ?? {};
    await until(() => gone === clients - maximum - waiting);

    // Nobody comes or goes: a server that cannot accept must not spin.
    said.length = 0;
    await until(() => said.filter(({ cpu }) => cpu !== undefined).length >= 3);
    const quiet = said.slice(1).map(({ cpu = 0 }) => cpu);
    assert.ok(Math.min(...quiet) < 30, `${quiet.join(", ")} ms of CPU in 300 ms`);

    // One ends, and one of those who wait is served.
    answered[0]?.end("quit\n");
    await until(() => answered.length === maximum + 1);
    assert.equal(server.exitCode, null);
    assert.doesNotMatch(complaints(), /EMFILE|uncaught/i);
    server.kill();
    await once(server, "exit");
  },
);

const observedScript = `
  const { createServer } = await import("node:net");
  const { subscribe } = await import("node:diagnostics_channel");
  const { manage } = await import(process.argv[1] + "/src/index.js");
  let spared = 0;
  subscribe("portreeve.connection.spared", ({ limit }) => (spared += limit === "maxConcurrent" ? 1 : 0));
  const managed = manage(createServer((socket) => socket.pipe(socket)), {
    observeOnly: true,
    safetyLimits: { maxConcurrent: 5, maxWaiting: 20, waitTimeout: "30s" },
  });
  managed.servers[0].listen(0, "127.0.0.1", () => console.log(managed.servers[0].address().port));
  setInterval(() => console.log([managed.connections.size, managed.waiting, spared].join(" ")), 50);
`;

test(
  "where limits only observe more are served than maxConcurrent, and still no more than descriptors allow",
  { skip },
  async (t) => {
    const { program: server, complaints } = startWithDescriptors(t, descriptors, observedScript);
    const said: string[] = [];
    server.stdout.setEncoding("utf8").on("data", (text: string) => said.push(...text.trim().split("\n")));
    await until(() => said.length > 0);
    const sockets = Array.from({ length: 30 }, () => connect(Number(said[0]), "127.0.0.1").on("error", () => {}));
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    const counts = (): number[] => (said.length < 2 ? [] : (said.at(-1) ?? "").split(" ").map(Number));
    await until(() => (counts()[0] ?? 0) + (counts()[1] ?? 0) === sockets.length);
    const [served = 0, waiting = 0, spared = 0] = counts();
    assert.ok(served > 5 && served <= descriptors / 2, `${served} at once`);
    assert.deepEqual([waiting, spared], [sockets.length - served, served - 5]);
    assert.equal(complaints(), "");
  },
);
