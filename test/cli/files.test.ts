import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { connect as tlsConnect } from "node:tls";
import type { TestContext } from "node:test";
import { lacks } from "../support/program.ts";
import { connectTo } from "../support/tcp-client.ts";
import { makeSite, startServe } from "./portreeve.ts";

/** One request on a connection of its own, exactly as written: no client cleans the path up. */
async function exchange(t: TestContext, port: number, target: string, ...headers: string[]): Promise<string> {
  const client = await connectTo(t, port);
  client.write([`GET ${target} HTTP/1.1`, "Host: x", "Connection: close", ...headers, "", ""].join("\r\n"));
  return client.all();
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
}

test("files are served with their type, and folders with their index", async (t) => {
  const { url } = await startServe(t, makeSite(t));
  const page = await fetch(url);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  assert.equal(await page.text(), "<h1>home</h1>");
  const file = await fetch(`${url}digits.txt?query`);
  assert.match(file.headers.get("content-type") ?? "", /^text\/plain/);
  assert.equal(await file.text(), "0123456789");
  assert.equal(await (await fetch(`${url}folder/`)).text(), "<h1>inside</h1>");
  assert.equal(await (await fetch(`${url}empty.txt`)).text(), "");
  assert.equal(await (await fetch(`${url}with%20space%20%C3%A9.txt`)).text(), "named");
  assert.equal(await (await fetch(`${url}in.txt`)).text(), "0123456789");
});

test("HEAD gives the headers of GET and no body", async (t) => {
  const { port, url } = await startServe(t, makeSite(t));
  const head = await fetch(`${url}digits.txt`, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "10");
  const client = await connectTo(t, port);
  client.write("HEAD /digits.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(await client.all(), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
});

test("ranges and conditional requests are honoured", async (t) => {
  const { port, url } = await startServe(t, makeSite(t));
  const get = (headers: Record<string, string>): Promise<Response> => fetch(`${url}digits.txt`, { headers });
  const part = await get({ range: "bytes=2-4" });
  assert.deepEqual([part.status, part.headers.get("content-range"), await part.text()], [206, "bytes 2-4/10", "234"]);
  assert.equal(await (await get({ range: "bytes=-3" })).text(), "789");
  const beyond = await get({ range: "bytes=20-" });
  assert.deepEqual([beyond.status, beyond.headers.get("content-range")], [416, "bytes */10"]);
  const { headers } = await get({});
  // Written by hand, because fetch adds Cache-Control: no-cache.
  const byTag = await exchange(t, port, "/digits.txt", `If-None-Match: ${headers.get("etag")}`);
  assert.match(byTag, /^HTTP\/1\.1 304 [^]*\r\n\r\n$/);
  const byDate = await exchange(t, port, "/digits.txt", `If-Modified-Since: ${headers.get("last-modified")}`);
  assert.match(byDate, /^HTTP\/1\.1 304 /);
  assert.equal((await get({ "if-match": '"other"' })).status, 412);
});

test("a folder without its slash is redirected to, on this host only", async (t) => {
  const { port } = await startServe(t, makeSite(t));
  const targets: Readonly<Record<string, string>> = {
    "/folder": "/folder/",
    "/folder?a=b": "/folder/?a=b",
    "//folder": "/folder/",
    "///folder": "/folder/",
    "/\\folder": "/folder/",
    "http://elsewhere/folder": "/folder/",
  };
  for (const [target, location] of Object.entries(targets)) {
    const answer = await exchange(t, port, target);
    if (statusOf(answer) === 404) continue; // A backslash is a letter of the name on this system.
    assert.equal(statusOf(answer), 301, target);
    assert.equal(/^Location: (.*)\r$/m.exec(answer)?.[1], location, target);
  }
  assert.equal(statusOf(await exchange(t, port, "/folder")), 301);
});

test("a request in absolute form is served", async (t) => {
  const { port } = await startServe(t, makeSite(t));
  assert.match(await exchange(t, port, "http://x/digits.txt"), /0123456789$/);
  assert.match(await exchange(t, port, "http://x"), /home/);
});

test("other methods are answered with 405", async (t) => {
  const { url } = await startServe(t, makeSite(t));
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const answer = await fetch(`${url}digits.txt`, { method });
    assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"]);
  }
});

test("what is not there, hidden or outside is never served, however it is spelled", async (t) => {
  const { port, program } = await startServe(t, makeSite(t));
  const paths: Readonly<Record<string, number>> = {
    "/nothing": 404,
    "/folder/empty/": 404,
    "/digits.txt/": 404,
    "/digits.txt/x": 404,
    "/.hidden": 404,
    "/%2ehidden": 404,
    "/.git/config": 404,
    "/out.txt": 404,
    "/up/secret.txt": 404,
    "/up/root/digits.txt": 200,
    "/../secret.txt": 403,
    "/%2e%2e/secret.txt": 403,
    "/..%2fsecret.txt": 403,
    "/folder/..%2f..%2fsecret.txt": 403,
    "/folder/%2e%2e/%2e%2e/secret.txt": 403,
    "/..\\secret.txt": 403,
    "/%5c..%5csecret.txt": 403,
    "/%00": 400,
    "/%": 400,
    "/%ff": 400,
    "/%c0%ae%c0%ae/secret.txt": 400,
    "/%252e%252e/secret.txt": 404,
    "*": 404,
    [`/${"x".repeat(5000)}`]: 404,
  };
  for (const [path, status] of Object.entries(paths)) {
    const answer = await exchange(t, port, path);
    assert.equal(statusOf(answer), status, path.slice(0, 80));
    assert.ok(!/\r\n\r\n.*(secret|hidden)/.test(answer), path.slice(0, 80));
  }
  assert.equal(program.stderr, "");
});

test("a named pipe in the folder is not waited for", { skip: lacks("mkfifo") }, async (t) => {
  const site = makeSite(t);
  execFileSync("mkfifo", [join(site, "pipe")]);
  const { port } = await startServe(t, site);
  assert.equal(statusOf(await exchange(t, port, "/pipe")), 404);
});

test("--tls-self-signed speaks HTTPS with a certificate for the host, and one port serves many requests", async (t) => {
  const { port, url } = await startServe(t, makeSite(t), "--tls-self-signed");
  assert.equal(url, `https://127.0.0.1:${port}/`);
  const socket = tlsConnect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  const ca = `-----BEGIN CERTIFICATE-----\n${socket.getPeerCertificate().raw.toString("base64")}\n-----END CERTIFICATE-----\n`;
  socket.destroy();
  for (const host of ["127.0.0.1", "localhost"]) {
    const body = await new Promise<string>((resolve, reject) => {
      // Verified: the certificate is good for both names, once it is trusted.
      const request = httpsRequest({
        host: "127.0.0.1",
        servername: host === "localhost" ? host : "",
        port,
        ca,
        path: "/digits.txt",
      });
      request.on("error", reject);
      request.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve(text));
      });
      request.end();
    });
    assert.equal(body, "0123456789");
  }
});

test("--host ::1 listens on IPv6 and prints a URL that works", async (t) => {
  const { url } = await startServe(t, makeSite(t), "--host", "::1");
  assert.match(url, /^http:\/\/\[::1\]:\d+\/$/);
  assert.equal((await fetch(url)).status, 200);
});
