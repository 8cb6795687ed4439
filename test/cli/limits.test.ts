import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { kernelIsMute, socketsBetween } from "../support/kernel.ts";
import { until } from "../support/rounds.ts";
import { connectTo } from "../support/tcp-client.ts";
import { makeSite, startServe } from "./portreeve.ts";

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

test("requestReadTimeout: half a head is answered with 408, and a client without a byte with silence", async (t) => {
  const { port } = await startServe(t, makeSite(t), "--limit", "requestReadTimeout=300ms");
  const started = performance.now();
  const [half, silent, dripping] = await Promise.all([connectTo(t, port), connectTo(t, port), connectTo(t, port)]);
  half.write("GET / HTTP/1.1\r\nHo");
  const drip = setInterval(() => dripping.socket.writable && dripping.write("x"), 50);
  t.after(() => clearInterval(drip));
  assert.match(await half.all(), /^HTTP\/1\.1 408 [^]*Connection: close\r\n/);
  assert.equal(await half.ended, "FIN");
  assert.ok(performance.now() - started >= 295, "not early");
  assert.equal(await silent.all(), "");
  assert.equal(await silent.ended, "FIN");
  assert.match(await dripping.all(), /^HTTP\/1\.1 (408|400) /);
});

test("idleTimeout: a kept-alive connection that goes quiet is closed without a word", async (t) => {
  const { port } = await startServe(t, makeSite(t), "--limit", "idleTimeout=300ms");
  const client = await connectTo(t, port);
  client.write(get("/digits.txt"));
  await client.gets(/0123456789$/);
  const started = performance.now();
  const { length } = client.received;
  assert.equal(await client.ended, "FIN");
  assert.ok(performance.now() - started >= 250, "not early");
  assert.equal(client.received.length, length);
});

test("half of a second request has requestReadTimeout, not what is left of idleTimeout", async (t) => {
  const flags = ["--limit", "idleTimeout=10m", "--limit", "requestReadTimeout=400ms"];
  const { port } = await startServe(t, makeSite(t), ...flags);
  const client = await connectTo(t, port);
  client.write(get("/digits.txt"));
  await client.gets(/0123456789$/);
  client.write("GET /di");
  assert.match(await client.all(), /0123456789HTTP\/1\.1 408 /);
});

test(
  "responseSendTimeout: a client that does not read is reset, and the kernel keeps nothing of it",
  { skip: kernelIsMute },
  async (t) => {
    const { port, url } = await startServe(t, makeSite(t), "--limit", "responseSendTimeout=300ms");
    const deaf = connect({ port, host: "127.0.0.1" });
    t.after(() => deaf.destroy());
    await once(deaf, "connect");
    deaf.pause().write(get("/big.bin"));
    const { localPort } = deaf;
    assert.ok(localPort !== undefined);
    const ofServer = () => socketsBetween(port, localPort).filter(({ local }) => local === port);
    assert.equal(ofServer().length, 1);
    await until(() => ofServer().length === 0);
    // Whoever is reset hears of it as soon as it reads.
    const closed = new Promise((resolve) => deaf.on("error", () => {}).once("close", resolve));
    deaf.resume();
    await closed;
    assert.equal((await fetch(url)).status, 200, "others are served");
  },
);

test("maxConcurrent: the third waits until one ends, and what overflows maxWaiting is refused with 503", async (t) => {
  const { port } = await startServe(t, makeSite(t), "--limit", "maxConcurrent=2", "--limit", "maxWaiting=1");
  const [first, second] = await Promise.all([connectTo(t, port), connectTo(t, port)]);
  for (const client of [first, second]) {
    client.write(get("/digits.txt"));
    await client.gets(/0123456789$/);
  }
  const third = await connectTo(t, port);
  third.write(get("/digits.txt"));
  const fourth = await connectTo(t, port);
  assert.match(await fourth.all(), /^HTTP\/1\.1 503 [^]*Retry-After: 1\r\n/);
  assert.equal(third.received, "");
  first.end();
  await third.gets(/^HTTP\/1\.1 200 [^]*0123456789$/);
});

test("waitTimeout: who has waited too long is refused with 503", async (t) => {
  const { port } = await startServe(t, makeSite(t), "--limit", "maxConcurrent=1", "--limit", "waitTimeout=200ms");
  const first = await connectTo(t, port);
  first.write(get("/digits.txt"));
  await first.gets(/0123456789$/);
  const second = await connectTo(t, port);
  second.write(get("/digits.txt"));
  assert.match(await second.all(), /^HTTP\/1\.1 503 /);
});

test("handshakeTimeout: a client that does not speak TLS is closed", async (t) => {
  const { port } = await startServe(t, makeSite(t), "--tls-self-signed", "--limit", "handshakeTimeout=200ms");
  const client = await connectTo(t, port);
  assert.equal(await client.all(), "");
});
