import assert from "node:assert/strict";
import { test } from "node:test";
import { startProgram } from "../support/program.ts";
import { connectTo } from "../support/tcp-client.ts";

test("the echo example answers every line, pipelined ones too, and `quit` ends the connection", async (t) => {
  const program = startProgram(t, [".build/examples/echo.js", "0"]);
  const [, port] = await program.says(/on port (\d+)/);
  const client = await connectTo(t, Number(port));
  client.write("one\r\ntwo\nthr");
  await client.gets(/^one\ntwo\n$/);
  client.write("ee\nquit\n");
  assert.equal(await client.all(), "one\ntwo\nthree\nquit\n");
});

test("the echo example refuses an endless line and goes on serving others", async (t) => {
  const program = startProgram(t, [".build/examples/echo.js", "0"]);
  const [, port] = await program.says(/on port (\d+)/);
  const hostile = await connectTo(t, Number(port));
  hostile.write("x".repeat(100_000));
  await hostile.ended;
  const client = await connectTo(t, Number(port));
  client.write("still here\nquit\n");
  assert.equal(await client.all(), "still here\nquit\n");
});

test("the echo example ends by itself at SIGTERM, also with a silent client", async (t) => {
  const program = startProgram(t, [".build/examples/echo.js", "0"]);
  const [, port] = await program.says(/on port (\d+)/);
  const client = await connectTo(t, Number(port));
  client.write("hello\n");
  await client.gets(/hello\n/);
  program.signal("SIGTERM");
  assert.equal(await client.ended, "FIN");
  client.end();
  assert.equal(await program.ended, 0, program.stderr);
});
