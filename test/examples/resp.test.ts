import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { lacks, startProgram } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { connectTo } from "../support/tcp-client.ts";

const skip = lacks("redis-cli", "redis-benchmark");
const mebi = 2 ** 20;

async function start(t: TestContext): Promise<{ program: Program; port: number }> {
  const program = startProgram(t, [".build/examples/resp/server.js", "0"]);
  const [, port] = await program.says(/on port (\d+)/);
  return { program, port: Number(port) };
}

interface Result {
  stdout: Buffer;
  stderr: Buffer;
  code: number;
}

async function runTool(
  t: TestContext,
  tool: string,
  args: readonly string[],
  input: string | Buffer = "",
): Promise<Result> {
  const child = spawn(tool, args);
  t.after(() => child.kill("SIGKILL"));
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  // A tool that is given arguments does not read its input, and may have ended already.
  child.stdin.on("error", () => {}).end(input);
  const [code] = (await once(child, "close")) as [number];
  return { stdout: Buffer.concat(out), stderr: Buffer.concat(err), code };
}

async function cli(t: TestContext, port: number, args: readonly string[], input?: string | Buffer): Promise<string> {
  const { stdout, stderr, code } = await runTool(t, "redis-cli", ["-p", String(port), ...args], input);
  assert.equal(code, 0, stderr.toString());
  return stdout.toString();
}

test("redis-cli pings, sets and gets", { skip }, async (t) => {
  const { port } = await start(t);
  assert.equal(await cli(t, port, ["ping"]), "PONG\n");
  assert.equal(await cli(t, port, ["ping", "two words"]), "two words\n");
  assert.equal(await cli(t, port, ["set", "k", "v"]), "OK\n");
  assert.equal(await cli(t, port, ["get", "k"]), "v\n");
  assert.equal(await cli(t, port, ["get", "nobody"]), "\n");
  assert.equal(await cli(t, port, ["set", "", ""]), "OK\n");
  assert.equal(await cli(t, port, [], "set a 1\nget a\n"), "OK\n1\n");
});

test("redis-cli is told of its errors in Redis's own words and may go on", { skip }, async (t) => {
  const { port } = await start(t);
  assert.equal(
    await cli(t, port, [], "foo bar baz\nget\nget a b\nset a\nset a b c\nping a b\nping\n"),
    [
      "ERR unknown command 'foo', with args beginning with: 'bar' 'baz' \n",
      ...["get", "get", "set"].map((name) => `ERR wrong number of arguments for '${name}' command\n`),
      "ERR syntax error\n",
      "ERR wrong number of arguments for 'ping' command\n",
      "PONG",
    ].join("\n") + "\n",
  );
});

test("a value of 10 MB goes through redis-cli whole, every byte of it", { skip }, async (t) => {
  const { port } = await start(t);
  const value = Buffer.alloc(10_000_000);
  for (let i = 0; i < value.length; i++) value[i] = (i * 31 + (i >> 8)) & 255;
  assert.equal(await cli(t, port, ["-x", "set", "large"], value), "OK\n");
  const got = await runTool(t, "redis-cli", ["-p", String(port), "get", "large"]);
  assert.equal(got.stdout.length, value.length + 1, "redis-cli adds a line feed");
  assert.ok(got.stdout.subarray(0, -1).equals(value));
});

test("redis-cli --pipe loads ten thousand commands without one error", { skip }, async (t) => {
  const { port } = await start(t);
  const commands = Array.from({ length: 10_000 }, (_, i) => `*3\r\n$3\r\nSET\r\n$5\r\n${i + 10_000}\r\n$3\r\nval\r\n`);
  // At the end the tool sends ECHO and waits for the answer, whatever it is.
  const said = await cli(t, port, ["--pipe", "--pipe-timeout", "30"], commands.join(""));
  assert.match(said, /errors: 0, replies: 10000/);
  assert.equal(await cli(t, port, ["get", "19999"]), "val\n");
});

test("redis-benchmark runs through, one by one and pipelined", { skip }, async (t) => {
  const { port } = await start(t);
  for (const depth of ["1", "16"]) {
    const args = [
      "-p",
      String(port),
      "-t",
      "ping,set,get",
      "-n",
      "2000",
      "-c",
      "20",
      "-P",
      depth,
      "-d",
      "100",
      "--csv",
    ];
    const { stdout, stderr, code } = await runTool(t, "redis-benchmark", args);
    assert.equal(code, 0, stderr.toString());
    assert.equal(stderr.toString(), "");
    const rows = stdout.toString().trim().split("\n").slice(1);
    assert.deepEqual(
      rows.map((row) => row.split(",")[0]),
      ['"PING_INLINE"', '"PING_MBULK"', '"SET"', '"GET"'],
    );
  }
});

/** What a client sends before it ends, and what comes back. */
const dialogues: Readonly<Record<string, readonly [sent: string, received: string]>> = {
  "inline commands, with bare line feeds too": [
    "PING\r\nPING\nset a 1\r\nget a\n",
    "+PONG\r\n+PONG\r\n+OK\r\n$1\r\n1\r\n",
  ],
  "empty lines and empty arrays, which mean nothing": ["\r\n\n*0\r\n*-1\r\nPING\r\n", "+PONG\r\n"],
  "words in double quotes, with escapes": ['PING "a b\\x41\\n\\"" \r\n', '$7\r\na bA\n"\r\n'.replace("$7", "$6")],
  "words in single quotes": ["PING 'it\\'s \\n'\r\n", "$7\r\nit's \\n\r\n"],
  "an empty word": ['set "" v\r\nget ""\r\n', "+OK\r\n$1\r\nv\r\n"],
  "quotes that are never closed": ['PING "a\r\nPING\r\n', "-ERR Protocol error: unbalanced quotes in request\r\n"],
  "a line of nothing but blanks": [" \t\r\n \nPING \r\n", "+PONG\r\n"],
  "a quote in the midst of a line": [
    `PING ${"a ".repeat(20_000)}"\r\n`,
    "-ERR Protocol error: unbalanced quotes in request\r\n",
  ],
  "a long quoted word": [`PING "${"\\n".repeat(20_000)}"\r\n`, `$20000\r\n${"\n".repeat(20_000)}\r\n`],
  "quotes closed inside a word": ["PING 'a'b\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"],
  "bytes that are no text": ["*2\r\n$4\r\nPING\r\n$4\r\n\x00\xff\r\n\r\n", "$4\r\n\x00\xff\r\n\r\n"],
  "an array of something else": ["*1\r\n+PING\r\nPING\r\n", "-ERR Protocol error: expected '$', got '+'\r\n"],
  "an array without its words": ["*1\r\n\r\n", "-ERR Protocol error: expected '$', got ' '\r\n"],
  "a count that is no number": ["*x\r\nPING\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  "a count with a zero in front": ["*01\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  "a huge count": ["*99999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  "a length that is no number": ["*1\r\n$+4\r\nPING\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  "a negative length": ["*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  "a huge length": ["*1\r\n$9999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  "a name that would break the line of the error": [
    '"F\\nOO" "a\\r\\nb"\r\nPING\r\n',
    "-ERR unknown command 'F OO', with args beginning with: 'a  b' \r\n+PONG\r\n",
  ],
  "long words in an error": [
    `FOO ${"x".repeat(200)} y\r\n${"z".repeat(200)} a\r\n`,
    `-ERR unknown command 'FOO', with args beginning with: '${"x".repeat(128)}' \r\n` +
      `-ERR unknown command '${"z".repeat(128)}', with args beginning with: 'a' \r\n`,
  ],
  "nothing after QUIT": ["QUIT now\r\nPING\r\n", "+OK\r\n"],
  "CONFIG GET": ["CONFIG GET save nosuch\r\n", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"],
  "another CONFIG": ["CONFIG FOO\r\n", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n"],
  "half a command, and then its end": ["PING\r\n*2\r\n$4\r\nPING\r\n$10\r\nabc", "+PONG\r\n"],
};

test("the RESP example answers as it should, down to the byte", async (t) => {
  const { port } = await start(t);
  for (const [name, [sent, received]] of Object.entries(dialogues)) {
    const client = await connectTo(t, port);
    client.write(sent).end();
    assert.equal(await client.all(), received, name);
  }
});

test(
  "Redis itself answers every one of these dialogues in the same way",
  { skip: lacks("redis-server") },
  async (t) => {
    // The system picks the port: two runs at once must not meet.
    const port = 20_000 + (process.pid % 10_000);
    const redis = spawn("redis-server", ["--port", String(port), "--save", "", "--bind", "127.0.0.1"]);
    t.after(() => redis.kill("SIGKILL"));
    let log = "";
    redis.stdout.setEncoding("utf8");
    for await (const text of redis.stdout as AsyncIterable<string>) {
      log += text;
      if (/Ready to accept connections/.test(log)) break;
    }
    for (const [name, [sent, received]] of Object.entries(dialogues)) {
      const client = await connectTo(t, port);
      client.write(sent).end();
      assert.equal(await client.all(), received, name);
    }
  },
);

test("commands that arrive byte by byte are answered like those that arrive at once", async (t) => {
  const { port } = await start(t);
  const client = await connectTo(t, port);
  for (const byte of "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\r\n\r\nGET k\r\nQUIT\r\n") {
    client.socket.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await client.all(), "+OK\r\n$3\r\na\r\n\r\n+OK\r\n");
});

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

test("lengths that are only claimed cost no memory, and endless lines are cut off", async (t) => {
  const { program, port } = await start(t);
  const honest = await connectTo(t, port);
  honest.write("PING\r\n");
  await honest.gets(/PONG/);
  const before = residentBytes(program.pid);
  for (let i = 0; i < 200; i++) {
    const liar = await connectTo(t, port);
    liar.write(`*1024\r\n$3\r\nSET\r\n$${32 * mebi}\r\nabc`);
  }
  const [inline, count, length] = await Promise.all([connectTo(t, port), connectTo(t, port), connectTo(t, port)]);
  inline.write("x".repeat(70_000));
  await inline.gets(/^-ERR Protocol error: too big inline request\r\n$/);
  count.write(`*${"1".repeat(70_000)}`);
  await count.gets(/^-ERR Protocol error: too big mbulk count string\r\n$/);
  length.write(`*1\r\n$${"1".repeat(70_000)}`);
  await length.gets(/^-ERR Protocol error: too big bulk count string\r\n$/);
  const many = await connectTo(t, port);
  many.write("*1025\r\n");
  await many.gets(/^-ERR Protocol error: invalid multibulk length\r\n$/);
  const longWords = await connectTo(t, port);
  longWords.write(`*3\r\n$${32 * mebi + 1}\r\n`);
  await longWords.gets(/^-ERR Protocol error: invalid bulk length\r\n$/);
  honest.write("PING\r\n");
  await honest.gets(/PONG[^]*PONG/);
  assert.ok(residentBytes(program.pid) - before < 64 * mebi, "200 claims of 32 GiB each took less than 64 MiB");
  assert.equal(program.stderr, "");
});

test("the store of the RESP example does not grow past its capacity", async (t) => {
  const { port } = await start(t);
  const client = await connectTo(t, port);
  const value = Buffer.alloc(32 * mebi, 120);
  for (let i = 0; i < 8; i++)
    client.write(`*3\r\n$3\r\nSET\r\n$1\r\n${i}\r\n$${value.length}\r\n`).write(value).write("\r\n");
  await client.gets(/^(\+OK\r\n){7}-OOM command not allowed when used memory > 'maxmemory'\.\r\n$/);
  client.write("SET 0 small\r\nSET 7 fits\r\nQUIT\r\n");
  assert.match(await client.all(), /(\+OK\r\n){3}$/);
});

test("the RESP example ends by itself at SIGTERM, and finishes the command in flight", async (t) => {
  const { program, port } = await start(t);
  const [idle, half] = await Promise.all([connectTo(t, port), connectTo(t, port)]);
  idle.write("PING\r\n");
  half.write("PING\r\n*1\r\n$4\r\n");
  await Promise.all([idle.gets(/PONG/), half.gets(/PONG/)]);
  program.signal("SIGTERM");
  assert.equal(await idle.ended, "FIN");
  idle.end();
  half.write("PING\r\n");
  assert.equal(await half.all(), "+PONG\r\n+PONG\r\n");
  half.end();
  assert.equal(await program.ended, 0, program.stderr);
});
