import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { servePorts } from "../../src/index.ts";
import type { Connection, ConversationOptions } from "../../src/index.ts";
import { ManualClock, makePortPair } from "../../src/testing/index.ts";
import { compiledRoot } from "../support/paths.ts";

const lines: ConversationOptions<string> = {
  readRequest: async (connection) => {
    const line = await connection.reader.line();
    return line === null ? null : { request: line, close: line === "quit" };
  },
  dispatch: (connection, line) => void connection.output.write(`${line}\n`),
};

test("servePorts talks on one pair of ports until the client ends", async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const received = output.toArray();
  input.end("one\ntwo\n");
  assert.equal(await servePorts(input, output, lines), "client-ended");
  assert.equal(String(Buffer.concat(await received)), "one\ntwo\n");
});

test("servePorts talks on one Duplex, and ends it after the request that closes", async () => {
  const { server, client } = makePortPair();
  client.write("one\nquit\nthree\n");
  const received = client.toArray().then((chunks) => {
    client.end();
    return String(Buffer.concat(chunks as Buffer[]));
  });
  assert.equal(await servePorts(server, server, lines), "completed");
  assert.equal(await received, "one\nquit\n");
});

test("servePorts has deadlines, too", async () => {
  const clock = new ManualClock();
  const { server, client } = makePortPair();
  client.on("end", () => client.end()).resume();
  const ended = servePorts(server, server, { ...lines, clock, safetyLimits: { requestReadTimeout: "5s" } });
  clock.advance("5s");
  assert.equal(await ended, "read-timeout");
});

test("servePorts settles when the program's work has", async () => {
  const { server, client } = makePortPair();
  client.on("end", () => client.end()).resume();
  client.write("x\n");
  let finish!: () => void;
  let settled = false;
  const connections: Connection[] = [];
  const ended = servePorts(server, server, {
    ...lines,
    dispatch: (connection) => {
      connections.push(connection);
      connection.kill();
      return new Promise<void>((resolve) => (finish = resolve));
    },
  });
  void ended.then(() => (settled = true));
  while (connections.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await connections[0]?.closed;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(settled, false);
  finish();
  assert.equal(await ended, "killed");
});

test("servePorts talks on the standard streams of a process, which ends when the client does", async () => {
  const script = `
    const { servePorts } = await import(process.argv[1] + "/src/index.js");
    const reason = await servePorts(process.stdin, process.stdout, {
      readRequest: async (c) => { const line = await c.reader.line(); return line === null ? null : { request: line, close: false }; },
      dispatch: (c, line) => { c.output.write(line.toUpperCase() + "\\n"); },
    });
    console.error(reason);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, compiledRoot]);
  child.stdin.end("hello\nworld\n");
  const [out, err] = await Promise.all([child.stdout.toArray(), child.stderr.toArray()]);
  assert.equal(String(Buffer.concat(err)), "client-ended\n");
  assert.equal(String(Buffer.concat(out)), "HELLO\nWORLD\n");
});

test("servePorts refuses, by name, the limits that only a listener can enforce", async () => {
  const { server } = makePortPair();
  const talk = { readRequest: () => null, dispatch: () => {} };
  for (const [limit, value] of Object.entries({ maxConcurrent: 5, maxWaiting: 5, waitTimeout: "1s" })) {
    await assert.rejects(servePorts(server, server, { ...talk, safetyLimits: { [limit]: value } }), {
      code: "ERR_PORTREEVE_LIMIT_NOT_ENFORCED",
      limit,
    });
  }
});
