/**
 * A program that owns a child process, a file and a socket under one custodian, and leaves nothing behind.
 * Run it with `node .build/examples/owner.js`; it says what it owns, and ends with Ctrl-C, SIGTERM or the end of its input.
 * Whichever way it ends, the child is gone, the file is removed, and nothing keeps the process alive: it ends by itself.
 */
import { spawn } from "node:child_process";
import { open, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCustodian } from "portreeve/custodian";

const own = makeCustodian(null, { name: "owner" });

const child = own.use(spawn("sleep", ["1000"], { stdio: "ignore" }));

const path = join(tmpdir(), `portreeve-owner-${process.pid}`);
own.defer(() => rm(path, { force: true })); // Newest first: the file is closed before it is removed.
const file = own.use(await open(path, "wx"));
await file.write("mine\n");

// Each connection has an owner of its own below.
const server = own.use(createServer((socket) => own.child("connection").use(socket)).listen(0, "127.0.0.1"));
await new Promise((resolve) => server.once("listening", resolve));
const { port } = server.address() as AddressInfo;
const socket = own.use(connect(port, "127.0.0.1"));
await new Promise((resolve) => socket.once("connect", resolve));

async function end(reason: string): Promise<void> {
  if (own.isShutDown) return;
  const { errors } = await own.shutdownAll(reason);
  console.log(JSON.stringify({ reason, errors: errors.map(String), left: own.managedList() }));
}

for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void end(signal));
own
  .use(process.stdin)
  .once("end", () => void end("end of input"))
  .resume();
console.log(JSON.stringify({ child: child.pid, path, port }));
