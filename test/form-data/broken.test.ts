import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import fc from "fast-check";
import { custodianOf, manage } from "../../src/index.ts";
import { FormDataError } from "../../src/protocols/form-data/form-data.ts";
import {
  boundary,
  field,
  file,
  head,
  multipart,
  multipartType,
  reason,
  startFormServer,
  urlencodedType,
} from "./form-server.ts";
import type { FormServer } from "./form-server.ts";

const disposition = 'Content-Disposition: form-data; name="a"';
const whole = multipart([field("a", "x")]);
const part = (header: string): Buffer => multipart([[header, "x"]]);

const malformed: Readonly<Record<string, readonly [body: Buffer | string, type?: string]>> = {
  "an empty body": [""],
  "no last delimiter": [multipart([field("a", "x")], "")],
  "half a delimiter": [multipart([field("a", "x")], `--${boundary}`)],
  "half a part": [whole.subarray(0, -40)],
  "half a header": [`--${boundary}\r\n${disposition}`],
  "a header without an empty line": [`--${boundary}\r\n${disposition}\r\n--${boundary}--\r\n`],
  "another boundary": [whole, "multipart/form-data; boundary=another"],
  "no boundary": [whole, "multipart/form-data"],
  "an empty boundary": [whole, 'multipart/form-data; boundary=""'],
  "too long a boundary": [whole, `multipart/form-data; boundary=${"x".repeat(71)}`],
  "a boundary in half a quote": [whole, `multipart/form-data; boundary="${boundary}`],
  "two boundaries": [whole, `${multipartType}; boundary=x`],
  "no disposition": [part("Content-Type: text/plain")],
  "no header": [part("")],
  "another disposition": [part('Content-Disposition: attachment; name="a"')],
  "no name": [part("Content-Disposition: form-data")],
  "two names": [part(`${disposition}; name="b"`)],
  "two dispositions": [part(`${disposition}\r\n${disposition}`)],
  "half a quote": [part('Content-Disposition: form-data; name="a')],
  "more behind a quote": [part(`${disposition}b`)],
  "a line that is no header": [part(`${disposition}\r\nnothing`)],
  "a header without a name": [part(`${disposition}\r\n: x`)],
  "a line break that is none": [part(`${disposition}\r\nX: a\nb`)],
  "a name that continues": [part(`${disposition}\r\nContent Type: a`)],
  "a broken extended name": [part(`${disposition}; filename*=utf-8''%E2%82`)],
  "more behind a delimiter": [whole.toString().replace("\r\n", "x\r\n")],
};

for (const [what, [body, type = multipartType]] of Object.entries(malformed)) {
  test(`a form with ${what} is answered with 400`, async (t) => {
    const server = await startFormServer(t);
    assert.equal(await server.post(body, type), "400");
    const [error] = server.outcomes;
    assert.ok(error instanceof FormDataError);
    assert.deepEqual([error.limit, error.code], [null, "ERR_PORTREEVE_FORM_DATA"]);
    assert.match(error.message, /^expected .+, got .+$/s);
  });
}

for (const type of [
  "text/plain",
  "application/json",
  "multipart/mixed; boundary=x",
  "multipart/form-data-x",
  "",
  ";;",
  "x/",
]) {
  test(`a body of type "${type}" is no form: 415`, async (t) => {
    const server = await startFormServer(t);
    const client = await server.connect();
    client.write(head(whole.length, type)).write(whole);
    await client.gets(/^HTTP\/1.1 415/);
  });
}

test("a request without a content type is no form: 415", async (t) => {
  const server = await startFormServer(t);
  assert.equal(await server.post(new Uint8Array([1])), "415");
  const client = await server.connect();
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await client.gets(/^HTTP\/1.1 415/);
});

/** Files in memory, a file on disk, fields. */
const form = multipart([
  field("a", "first"),
  file("b", "x".repeat(50)),
  file("c", "y".repeat(200_000)),
  field("d", "z".repeat(300)),
  file("e", "x".repeat(150)),
]);
const limits = { formDataFileMemoryThreshold: 100 };

/** Sends the first bytes of a form, then goes away. */
async function abort(
  server: FormServer,
  length: number,
  how: "FIN" | "RST",
  framing: number | "chunked",
): Promise<string> {
  const number = server.outcomes.length + 1;
  const client = await server.connect();
  const body = form.subarray(0, length);
  client.write(head(framing));
  if (framing === "chunked") client.write(`${(length + 1).toString(16)}\r\n`);
  client.write(body);
  // What it sent has left before it goes.
  await new Promise((resolve) => client.socket.write("", resolve));
  if (length % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  if (how === "FIN") client.socket.end().destroySoon();
  else client.socket.resetAndDestroy();
  // A reset may overtake the request.
  if (how === "RST") await Promise.race([server.outcome(number), closed(server)]);
  else await server.outcome(number);
  const outcome = server.outcomes[number - 1];
  return outcome === undefined ? "400" : reason(outcome);
}

/** Settles once the server has no connection. */
async function closed(server: FormServer): Promise<void> {
  for (;;) {
    const count = await new Promise((resolve) => server.http.getConnections((_error, count) => resolve(count)));
    if (count === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a client that goes away anywhere in a form leaves nothing behind, and the form is not read", async (t) => {
  const server = await startFormServer(t, { safetyLimits: limits });
  // Every byte of the short parts, and some of the long one.
  const offset = fc.oneof(
    fc.nat(700),
    fc.nat(form.length - 1),
    fc.integer({ min: form.length - 700, max: form.length - 1 }),
  );
  const how = fc.constantFrom("FIN" as const, "RST" as const);
  const framing = fc.constantFrom(form.length, "chunked" as const);
  const property = fc.asyncProperty(offset, how, framing, async (length, how, framing) => {
    assert.equal(await abort(server, length, how, framing), "400");
    await closed(server);
    await server.empty();
  });
  await fc.assert(property, { numRuns: 150 });
  assert.equal(reason(await server.post(form, multipartType)), "read");
});

test("garbage where a form should be is refused or read, and nothing else", async (t) => {
  const server = await startFormServer(t, {
    safetyLimits: { ...limits, maxFormDataFieldLength: 50, maxFormDataParts: 4 },
  });
  const pieces = fc.constantFrom(
    ...'- \r \n \0 : ; = "'.split(" "),
    "\r\n",
    "\r\n\r\n",
    "--",
    `--${boundary}`,
    `\r\n--${boundary}\r\n`,
    `\r\n--${boundary}--`,
    `\r\n--${boundary}-`,
    disposition,
    "; filename=x",
    "Content-Type: a/b",
    "x".repeat(120),
    "\u00ff\u00fe",
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
    fc.array(pieces, { maxLength: 40 }).map((some) => Buffer.from(some.join(""), "latin1")),
    fc
      .array(pieces, { maxLength: 40 })
      .map((some) => Buffer.from(`--${boundary}\r\n${disposition}${some.join("")}`, "latin1")),
    // A good one with one thing wrong.
    fc.tuple(fc.nat(600), pieces).map(([at, piece]) => {
      const good = multipart([field("a", "x"), file("b", "y".repeat(150)), field("c", "")]);
      return Buffer.concat([good.subarray(0, at), Buffer.from(piece), good.subarray(at)]);
    }),
  );
  const types = fc.constantFrom(
    multipartType,
    multipartType,
    multipartType,
    urlencodedType,
    "multipart/form-data; boundary=-",
  );
  const outcomes = new Set<string>();
  const property = fc.asyncProperty(bytes, types, async (body, type) => {
    const outcome = reason(await server.post(body, type));
    assert.match(outcome, /^(read|400|413 maxFormData(FieldLength|Parts))$/);
    outcomes.add(outcome);
    await server.empty();
  });
  await fc.assert(property, { numRuns: 500 });
  assert.ok(outcomes.has("400"));
});

test("a client that aborts a urlencoded form has sent no form", async (t) => {
  const server = await startFormServer(t);
  for (const framing of [100, "chunked"] as const) {
    const number = server.outcomes.length + 1;
    const client = await server.connect();
    client.write(head(framing, urlencodedType)).write(framing === "chunked" ? "4\r\na=1&\r\n" : "a=1&");
    await new Promise((resolve) => client.socket.write("", resolve));
    client.socket.destroy();
    assert.equal(reason(await server.outcome(number)), "400");
  }
});

test("after an error the client's body is thrown away, and it gets its answer", async (t) => {
  const server = await startFormServer(t, { safetyLimits: { maxFormDataFieldLength: 1 } });
  // More than all buffers on the way take.
  const body = Buffer.concat([multipart([field("a", "xx")], ""), Buffer.alloc(20_000_000)]);
  assert.equal(await server.post(body, multipartType), "413 maxFormDataFieldLength");
});

test("a request that ends while the last bytes of its file are written has brought half a form", async (t) => {
  const server = await startFormServer(t, { safetyLimits: { formDataFileMemoryThreshold: 1000 } });
  const managed = manage(server.http);
  t.after(() => managed.close());
  server.http.on("request", (request: IncomingMessage) => {
    const owner = custodianOf(request);
    // All of the body is there, and the rest of the file is about to be written.
    request.on("end", () => process.nextTick(() => void owner.shutdownAll()));
  });
  const body = multipart([file("a", Buffer.alloc(100_000))]);
  const client = await server.connect();
  client.write(head(body.length)).write(body);
  assert.equal(reason(await server.outcome(1)), "400");
});
