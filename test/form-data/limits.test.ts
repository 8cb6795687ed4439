import assert from "node:assert/strict";
import type { Socket } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { FormDataError } from "../../src/protocols/form-data/form-data.ts";
import type { SafetyLimitsOptions } from "../../src/index.ts";
import { until } from "../support/rounds.ts";
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
import type { Part } from "./form-server.ts";

const some = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const disposition = 'Content-Disposition: form-data; name="a"';
/** A part whose header has that many bytes. */
const headerOf = (length: number): Part => [`${disposition}\r\nX: ${"x".repeat(length - disposition.length - 5)}`, ""];

interface Limited {
  limits: SafetyLimitsOptions;
  /** A body that reaches the limit with `at(limit)`, and exceeds it with `at(limit + 1)`. */
  at: (amount: number) => Buffer | string;
  limit: number;
  type?: string;
}

const limited: Readonly<Record<string, Limited>> = {
  maxFormDataFields: {
    limits: { maxFormDataFields: 3 },
    limit: 3,
    at: (n) => multipart([...some(n, (i) => field(`f${i}`, "")), file("a", "x"), file("b", "y")]),
  },
  maxFormDataFieldLength: {
    limits: { maxFormDataFieldLength: 7 },
    limit: 7,
    at: (n) => multipart([file("a", "longer than that"), field("b", "x".repeat(n))]),
  },
  maxFormDataFiles: {
    limits: { maxFormDataFiles: 2, formDataFileMemoryThreshold: 0 },
    limit: 2,
    at: (n) => multipart([field("a", "x"), ...some(n, (i) => file(`f${i}`, "content"))]),
  },
  maxFormDataFileLength: {
    limits: { maxFormDataFileLength: 100_000, formDataFileMemoryThreshold: 10 },
    limit: 100_000,
    at: (n) => multipart([file("a", "x".repeat(n))]),
  },
  maxFormDataParts: {
    limits: { maxFormDataParts: 5 },
    limit: 5,
    at: (n) => multipart(some(n, (i) => (i % 2 === 0 ? field("a", "x") : file("b", "y")))),
  },
  maxFormDataHeaderLength: {
    limits: { maxFormDataHeaderLength: 100 },
    limit: 100,
    at: (n) => multipart([field("a", ""), headerOf(n), field("b", "")]),
  },
  maxRequestBodyLength: {
    limits: { maxRequestBodyLength: 20 },
    limit: 20,
    type: urlencodedType,
    at: (n) => `a=${"x".repeat(n - 2)}`,
  },
};
const limitedUrlencoded: Readonly<Record<string, Limited>> = {
  maxFormDataFields: { limits: { maxFormDataFields: 3 }, limit: 3, at: (n) => `&${"a&".repeat(n)}&` },
  maxFormDataFieldLength: {
    limits: { maxFormDataFieldLength: 4 },
    limit: 4,
    at: (n) => `a=%C3%A4%c3%a4${"+".repeat(n - 4)}&b=`,
  },
  maxFormDataHeaderLength: { limits: { maxFormDataHeaderLength: 3 }, limit: 3, at: (n) => `a=1&${"%20".repeat(n)}=` },
};

const cases: readonly (readonly [name: string, facts: Limited, type: string])[] = [
  ...Object.entries(limited).map(([name, facts]) => [name, facts, facts.type ?? multipartType] as const),
  ...Object.entries(limitedUrlencoded).map(([name, facts]) => [name, facts, urlencodedType] as const),
];

for (const [name, { limits, at, limit }, type] of cases) {
  test(`${name} of a ${type === urlencodedType ? "urlencoded" : "multipart"} form: what reaches it passes, one more is 413 and names it`, async (t) => {
    const server = await startFormServer(t, { safetyLimits: limits });
    assert.equal(reason(await server.post(at(limit), type)), "read");
    assert.equal(await server.post(at(limit + 1), type), `413 ${name}`);
    const error = server.outcomes.at(-1);
    assert.ok(error instanceof FormDataError);
    assert.deepEqual([error.code, error.expected, error.limit], ["ERR_PORTREEVE_FORM_DATA", limit, name]);
    assert.ok(Number(error.received) > limit, `${error.received}`);
    assert.match(error.message, new RegExp(`^safetyLimits.${name}: expected at most ${limit}, got \\d+$`));
    await server.empty();
    // The same, a byte at a time.
    for (const [amount, outcome] of [
      [limit, "read"],
      [limit + 1, `413 ${name}`],
    ] as const) {
      const body = Buffer.from(at(amount));
      if (body.length > 2000) continue;
      const client = await server.connect();
      client.write(head("chunked", type));
      client.write([...body].map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`).join("")).write("0\r\n\r\n");
      await client.gets(/^HTTP/);
      assert.equal(reason(server.outcomes.at(-1) as Error), outcome);
    }
  });
}

test("maxFormDataParts is as many as fields and files together where nobody says otherwise", async (t) => {
  const server = await startFormServer(t, { safetyLimits: { maxFormDataFields: 2, maxFormDataFiles: 1 } });
  const parts = [field("a", ""), field("b", ""), file("c", "")];
  assert.equal(reason(await server.post(multipart(parts), multipartType)), "read");
  assert.equal(await server.post(multipart([...parts, file("d", "")]), multipartType), "413 maxFormDataParts");
});

test("formDataFileMemoryThreshold: a file of that length is in memory, a longer one in a temporary file", async (t) => {
  const server = await startFormServer(t, { safetyLimits: { formDataFileMemoryThreshold: 1000 } });
  const files = [file("at", "x".repeat(1000)), file("over", "y".repeat(1001)), file("big", "z".repeat(300_000))];
  const seen = await server.post(multipart(files), multipartType);
  assert.ok(Array.isArray(seen));
  assert.deepEqual(
    seen.map(([, value]) => typeof value === "object" && [value.isOnDisk, value.content.length]),
    [
      [false, 1000],
      [true, 1001],
      [true, 300_000],
    ],
  );
  await server.empty();
});

test("without limits of its own a form is read within the safe defaults", async (t) => {
  const server = await startFormServer(t);
  const limit = 8192;
  assert.equal(reason(await server.post(multipart([field("a", "x".repeat(limit))]), multipartType)), "read");
  assert.equal(
    await server.post(multipart([field("a", "x".repeat(limit + 1))]), multipartType),
    "413 maxFormDataFieldLength",
  );
});

test("a limit of Infinity lets everything through", async (t) => {
  const safetyLimits = {
    maxFormDataFieldLength: Infinity,
    maxFormDataFields: Infinity,
    maxRequestBodyLength: Infinity,
  };
  const server = await startFormServer(t, { safetyLimits });
  const seen = await server.post(`a=${"x".repeat(2 ** 22)}${"&b=".repeat(5000)}`, urlencodedType);
  assert.equal(Array.isArray(seen) && seen.length, 5001);
});

test("a urlencoded body whose Content-Length is over the limit is refused before it is sent", async (t) => {
  const server = await startFormServer(t, { safetyLimits: { maxRequestBodyLength: 10 } });
  const client = await server.connect();
  client.write(head(11, urlencodedType));
  await client.gets(/^HTTP\/1.1 413/);
});

test("a header, a field, a file, and what is around the parts that never end are refused when they reach the limit", async (t) => {
  const server = await startFormServer(t, { safetyLimits: { maxFormDataFileLength: "1 MiB" } });
  const start = `--${boundary}\r\n`;
  const bodies: Readonly<Record<string, string>> = {
    "413 maxFormDataHeaderLength": `${start}${disposition}\r\nX: `,
    "413 maxFormDataFieldLength": `${start}${disposition}\r\n\r\n`,
    "413 maxFormDataFileLength": `${start}${disposition}; filename="x"\r\n\r\n`,
  };
  const around = ["preamble", `${start}${disposition}\r\n\r\n\r\n--${boundary}--\r\n`];
  const all = [...Object.entries(bodies), ...around.map((body) => ["413 maxFormDataHeaderLength", body] as const)];
  for (const [outcome, beginning] of all) {
    const number = server.outcomes.length + 1;
    const client = await server.connect();
    client.write(head(2 ** 40) + beginning);
    let isOver = false;
    void server.outcome(number).then(() => (isOver = true));
    // As fast as it takes it, and never an end.
    while (!isOver) {
      if (!client.socket.write("x".repeat(10_000))) {
        await Promise.race([server.outcome(number), new Promise((resolve) => client.socket.once("drain", resolve))]);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(reason(server.outcomes.at(-1) as Error), outcome);
    await client.gets(/^HTTP\/1.1 413/);
    client.socket.destroy();
  }
  await server.empty();
});

test("a client that sends each byte in a chunk of its own costs no more memory than one that does not", async (t) => {
  const server = await startFormServer(t);
  let accepted: Socket | undefined;
  server.http.once("connection", (socket) => (accepted = socket));
  const client = await server.connect();
  const used = (): number => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  client.write(head("chunked"));
  const beginning = multipart([file("a", "")], "").subarray(0, -2);
  client
    .write(`${beginning.length.toString(16)}\r\n`)
    .write(beginning)
    .write("\r\n");
  const before = used();
  const count = 100_000;
  const piece = "1\r\nx\r\n".repeat(10_000);
  for (let sent = 0; sent < count; sent += 10_000) {
    if (!client.socket.write(piece)) await new Promise((resolve) => client.socket.once("drain", resolve));
  }
  await until(() => (accepted?.bytesRead ?? 0) >= count * 6);
  const grown = used() - before;
  assert.ok(grown < 16 * count, `${grown} bytes for ${count}`);
  const end = `\r\n--${boundary}--`;
  client.write(`${end.length.toString(16)}\r\n${end}\r\n0\r\n\r\n`);
  const [entry] = (await server.outcome(1)) as unknown as [[string, { content: string }]];
  assert.equal(entry[1].content.length, count);
});
