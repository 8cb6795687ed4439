import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../support/paths.ts";
import { run } from "./portreeve.ts";

const site = "examples/site";

/** What is typed, and the one line that comes back. */
const mistakes: readonly [args: readonly string[], line: RegExp][] = [
  [[], /^no command given; see portreeve --help$/],
  [["serv", site], /^unknown command 'serv' \(Did you mean serve\?\)$/],
  [["serve"], /^missing required argument 'folder'$/],
  [["serve", site, "another"], /^too many arguments for 'serve'/],
  [["serve", site, "--limt", "a=b"], /^unknown option '--limt' \(Did you mean --limit\?\)$/],
  [["serve", site, "--port"], /^option '--port <number>' argument missing$/],
  [
    ["serve", site, "--port", "http"],
    /^option '--port <number>' argument 'http' is invalid\. Expected a number from 0 to 65535/,
  ],
  [["serve", site, "--port", "65536"], /Expected a number from 0 to 65535/],
  [["serve", site, "--port", "-1"], /Expected a number from 0 to 65535|unknown option|argument missing/],
  [["serve", site, "--limit", "nonsense=1"], /^--limit nonsense=1: there is no limit nonsense/],
  [["serve", site, "--limit", "__proto__=1"], /^--limit __proto__=1: there is no limit __proto__/],
  [["serve", site, "--limit", "maxConcurrent"], /^--limit maxConcurrent: expected name=value/],
  [["serve", site, "--limit", "maxConcurrent="], /^--limit maxConcurrent=: expected name=value/],
  [["serve", site, "--limit", "maxConcurrent=0"], /^--limit maxConcurrent=0: expected a positive integer or Infinity$/],
  [["serve", site, "--limit", "idleTimeout=-1s"], /^--limit idleTimeout=-1s: expected a duration/],
  [["serve", site, "--limit", "idleTimeout=3 weeks"], /^--limit idleTimeout=3 weeks: expected a duration/],
  [["serve", site, "--limit", "maxBufferedBytes=1s"], /^--limit maxBufferedBytes=1s: expected a size/],
  [
    ["serve", site, "--limit", "maxConcurrentPerClient=5"],
    /^--limit maxConcurrentPerClient=5: this server does not enforce this limit$/,
  ],
  [["serve", site, "--limit", "handshakeTimeout=3s"], /^--limit handshakeTimeout=3s: this server does not enforce/],
  [["serve", "no/such/folder"], /^no\/such\/folder: no such folder$/],
  [["serve", "package.json"], /^package\.json: not a folder$/],
  [["serve", site, "--host", "300.1.1.1"], /^cannot listen on 300\.1\.1\.1:8080: /],
  [
    ["serve", site, "--host", "192.0.2.1"],
    /^cannot listen on 192\.0\.2\.1:8080: the address is not one of this machine/,
  ],
];

test("every mistake is one clear line on stderr, and exit code 2", async (t) => {
  for (const [args, line] of mistakes) {
    const { stdout, stderr, code } = await run(t, ...args);
    const said = `portreeve ${args.join(" ")}: ${stderr}`;
    assert.equal(code, 2, said);
    assert.equal(stdout, "", said);
    assert.equal(stderr.split("\n").length, 2, said);
    assert.match(stderr.trimEnd().replace(/^portreeve: /, ""), line, said);
    assert.ok(stderr.startsWith("portreeve: "), said);
  }
});

test("a port that is taken is named, with exit code 2", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const { stderr, code } = await run(t, "serve", site, "--port", String(port));
  assert.equal(code, 2);
  assert.equal(stderr, `portreeve: cannot listen on 127.0.0.1:${port}: the address is taken (EADDRINUSE)\n`);
});

test("--help and --version answer on stdout with exit code 0", async (t) => {
  const { version } = JSON.parse(readFileSync(join(projectRoot, "cli/package.json"), "utf8")) as { version: string };
  for (const flag of ["--version", "-V"]) {
    assert.deepEqual(await run(t, flag), { stdout: `${version}\n`, stderr: "", code: 0 });
  }
  for (const args of [["--help"], ["help"], ["serve", "--help"], ["help", "serve"]]) {
    const { stdout, stderr, code } = await run(t, ...args);
    assert.deepEqual([stderr, code], ["", 0]);
    assert.match(stdout, /^Usage: portreeve /);
  }
  const { stdout } = await run(t, "serve", "--help");
  for (const flag of [
    "--host",
    "--port",
    "--tls-self-signed",
    "--limit",
    "requestReadTimeout +60s",
    "maxConcurrent +10000",
  ]) {
    assert.match(stdout, new RegExp(flag));
  }
});

test("shells are told how to complete, limits by name", async (t) => {
  for (const shell of ["bash", "zsh", "fish", "powershell"]) {
    const { stdout, code } = await run(t, "complete", shell);
    assert.equal(code, 0);
    assert.ok(stdout.includes("portreeve complete"), shell);
  }
  const completions = async (...words: string[]): Promise<string[]> => {
    const { stdout } = await run(t, "complete", "--", ...words);
    return stdout.split("\n").map((line) => line.split("\t")[0] ?? "");
  };
  assert.ok((await completions("ser")).includes("serve"));
  const flags = await completions("serve", "--");
  for (const flag of ["--host", "--port", "--limit", "--tls-self-signed"]) assert.ok(flags.includes(flag), flag);
  const limits = await completions("serve", "--limit", "max");
  assert.ok(limits.includes("maxConcurrent="));
  assert.ok(!limits.includes("idleTimeout="));
  assert.ok(!limits.includes("maxConcurrentStreams="), "what would be refused is not offered");
});
