/**
 * Our own pause never times a client out. The server lives in a process whose event loop is blocked for longer than its
 * deadlines, the clients in another.
 */
import assert from "node:assert/strict";
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const deadline = 1000;
const blocked = 2000;
/** What lies between the end of the pause and our hearing of the close, on a machine that has other things to do. */
const tolerance = 150;

const clientScript = `
  const { connect } = require("node:net");
  const [port, senders] = process.argv.slice(1).map(Number);
  for (let i = 0; i < senders; i++) {
    const socket = connect(port, "127.0.0.1").on("error", () => {}).resume();
    const sending = setInterval(() => socket.write("alive\\n"), 100);
    socket.on("close", () => { clearInterval(sending); console.log("a sender was cut"); });
  }
  const stopped = connect(port, "127.0.0.1", () => stopped.write("the last I say\\n")).on("error", () => {}).resume();
  stopped.on("close", () => console.log("the stopped one was cut"));
`;

interface Report {
  /** When the pause ended, in milliseconds of the server's clock. */
  pauseEnded: number;
  resolution: number;
  closed: { last: string; reason: string; at: number; deadline: number }[];
  live: number;
}

test("clients that kept sending survive our pause; one that stopped ends at its deadline plus the lateness", async (t) => {
  const server = fork(fileURLToPath(new URL("../support/pausing-server.js", import.meta.url)), [
    String(deadline),
    String(blocked),
  ]);
  t.after(() => server.kill());
  const [port] = (await once(server, "message")) as [number];
  const senders = 20;
  const clients = spawn(process.execPath, ["-e", clientScript, String(port), String(senders)]);
  t.after(() => clients.kill());
  const said: string[] = [];
  clients.stdout.on("data", (data: Buffer) => said.push(...String(data).trim().split("\n")));
  const [report] = (await once(server, "message")) as [Report];
  assert.equal(report.live, senders);
  assert.equal(report.closed.length, 1);
  const [stopped] = report.closed;
  assert.ok(stopped);
  assert.equal(stopped.last, "the last I say");
  assert.equal(stopped.reason, "idle-timeout");
  // The tick that was to end it came late by the rest of the pause, so deadline and lateness make the end of the pause.
  assert.ok(stopped.deadline < report.pauseEnded, "its deadline passed during the pause");
  const late = stopped.at - report.pauseEnded;
  assert.ok(late >= 0 && late <= report.resolution + tolerance, `it ended ${late} ms after the pause`);
  assert.deepEqual(said, ["the stopped one was cut"]);
});
