import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { another } from "../support/program.ts";
import { connectTo } from "../support/tcp-client.ts";
import { bigSize, makeSite, startServe } from "./portreeve.ts";

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} lets a download in flight finish, closes idle connections at once, and says so`, async (t) => {
    const { program, port } = await startServe(t, makeSite(t));
    const idle = await connectTo(t, port);
    idle.write(get("/digits.txt"));
    await idle.gets(/0123456789$/);
    const silent = await connectTo(t, port);
    const download = connect({ port, host: "127.0.0.1" });
    t.after(() => download.destroy());
    download.write(get("/big.bin"));
    const [first] = (await once(download, "data")) as [Buffer];
    download.pause();
    program.signal(signal);
    await program.says(new RegExp(`^${signal}: draining 3 connections$`, "m"));
    assert.equal(await idle.ended, "FIN");
    assert.equal(await silent.ended, "FIN");
    idle.end();
    silent.end();
    const late = connect({ port, host: "127.0.0.1" });
    const [refused] = (await once(late, "error")) as [NodeJS.ErrnoException];
    assert.equal(refused.code, "ECONNREFUSED");
    let received = first.length - first.indexOf("\r\n\r\n") - 4;
    download.on("data", (chunk: Buffer) => (received += chunk.length));
    download.resume();
    await once(download, "end");
    assert.equal(received, bigSize);
    assert.equal(await program.ended, 0, program.stderr);
    assert.match(program.stdout, /^drained in \S+: 1 finished, 2 idle closed, 0 cut$/m);
    assert.equal(program.stderr, "");
  });
}

test("a second signal closes now, and the exit code is the signal's", async (t) => {
  const { program, port } = await startServe(t, makeSite(t));
  const download = await connectTo(t, port);
  download.write(get("/big.bin"));
  // Not 'readable': taking its listener away again would make the socket flow.
  await once(download.socket, "data");
  download.socket.pause();
  program.signal("SIGTERM");
  await program.says(/draining 1 connection$/m);
  await another();
  program.signal("SIGTERM");
  assert.equal(await program.ended, 143, program.stderr);
  assert.match(
    program.stdout,
    /: 0 finished, 0 idle closed, 1 cut \(connection \d+: server-closed while (handling|sending)/,
  );
});

test("a signal that comes twice at once, as npm sends it on beside the terminal, counts as one", async (t) => {
  const { program, port } = await startServe(t, makeSite(t));
  const half = await connectTo(t, port);
  half.write("GET /digits.txt HTTP/1.1\r\nHo");
  const other = await connectTo(t, port);
  other.write(get("/digits.txt"));
  await other.gets(/0123456789$/);
  program.signal("SIGINT");
  await program.says(/draining 2 connections$/m);
  program.signal("SIGINT");
  assert.equal(await other.ended, "FIN");
  other.end();
  half.write("st: x\r\n\r\n");
  assert.match(await half.all(), /0123456789$/);
  half.end();
  assert.equal(await program.ended, 0, program.stderr);
});

test("a drain never takes longer than the grace period, and names who was cut", async (t) => {
  const { program, port } = await startServe(t, makeSite(t), "--limit", "shutdownGracePeriod=300ms");
  const download = await connectTo(t, port);
  download.write(get("/big.bin"));
  // Not 'readable': taking its listener away again would make the socket flow.
  await once(download.socket, "data");
  download.socket.pause();
  program.signal("SIGTERM");
  assert.equal(await program.ended, 0, program.stderr);
  const [, ms] = await program.says(
    /^drained in (\d+)ms: 0 finished, 0 idle closed, 1 cut \(connection \d+: drain-cut/m,
  );
  assert.ok(Number(ms) >= 300 && Number(ms) < 2000, `${ms} ms`);
});

test("half a request gets its chance while the server drains", async (t) => {
  const { program, port } = await startServe(t, makeSite(t));
  const client = await connectTo(t, port);
  client.write("GET /digits.txt HTTP/1.1\r\nHo");
  // The head of one connection may be read after the accept of another: this one is known to be there.
  const other = await connectTo(t, port);
  other.write(get("/digits.txt"));
  await other.gets(/0123456789$/);
  program.signal("SIGTERM");
  await program.says(/draining 2 connections/);
  assert.equal(await other.ended, "FIN");
  client.write("st: x\r\n\r\n");
  const answer = await client.all();
  assert.match(answer, /^HTTP\/1\.1 200 [^]*0123456789$/);
  assert.match(answer, /^Connection: close\r$/m);
  client.end();
  other.end();
  assert.equal(await program.ended, 0);
  assert.match(program.stdout, /: 1 finished, 1 idle closed, 0 cut$/m);
});

test("the server outlives whoever reads its output", async (t) => {
  const { program, url } = await startServe(t, makeSite(t));
  program.child.stdout?.destroy();
  assert.equal((await fetch(url)).status, 200);
  program.signal("SIGTERM");
  assert.equal(await program.ended, 0, program.stderr);
});
