import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { connect } from "../support/connections.ts";

/** Cuts `bytes` at the given places, in any order. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const edges = [0, ...sorted, bytes.length];
  return edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
}

const item = fc.oneof(
  fc.record({ kind: fc.constant("line" as const), text: fc.string({ unit: "grapheme", maxLength: 60 }) }),
  fc.record({ kind: fc.constant("bytes" as const), bytes: fc.uint8Array({ maxLength: 200 }) }),
  fc.record({ kind: fc.constant("until" as const), bytes: fc.uint8Array({ maxLength: 200 }) }),
);

test("however the bytes are cut into chunks, the items are the same", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(item, { maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      fc.boolean(),
      async (items, places, patient) => {
        const delimiter = "\u0000\u0001\u0000";
        const wanted = items.filter(
          (one) =>
            (one.kind !== "line" || !/[\n\r]/.test(one.text)) &&
            (one.kind !== "until" ||
              Buffer.concat([one.bytes, Buffer.from(delimiter)]).indexOf(delimiter) === one.bytes.length),
        );
        const sent = Buffer.concat(
          wanted.map((one) =>
            one.kind === "line"
              ? Buffer.from(`${one.text}${one.text.length % 2 === 0 ? "\n" : "\r\n"}`)
              : one.kind === "bytes"
                ? Buffer.from(one.bytes)
                : Buffer.concat([one.bytes, Buffer.from(delimiter)]),
          ),
        );
        const { connection, client } = connect();
        const write = async (): Promise<void> => {
          for (const chunk of cut(sent, places)) {
            client.write(chunk);
            if (patient) await new Promise((resolve) => setImmediate(resolve));
          }
          client.end();
        };
        const writing = write();
        const { reader } = connection;
        for (const one of wanted) {
          if (one.kind === "line") assert.equal(await reader.line(), one.text);
          else if (one.kind === "bytes") assert.deepEqual(await reader.bytes(one.bytes.length), Buffer.from(one.bytes));
          else assert.deepEqual(await reader.until(delimiter), Buffer.from(one.bytes));
        }
        assert.equal(await reader.line(), null);
        assert.equal(reader.buffered, 0);
        await writing;
        connection.kill();
        client.destroy();
      },
    ),
    { numRuns: 150 },
  );
});

test("whatever a client sends, a bounded line keeps at most a little more than its limit and one chunk", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 30 }),
      fc.integer({ min: 0, max: 200 }),
      async (chunks, max) => {
        const { connection, client } = connect();
        for (const chunk of chunks) client.write(chunk);
        client.end();
        let read = 0;
        try {
          for (let line = await connection.reader.line(max); line !== null; line = await connection.reader.line(max)) {
            // Invalid UTF-8 becomes longer: three bytes for each that is no character.
            assert.ok(Buffer.byteLength(line) <= 3 * max);
            read++;
          }
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          assert.ok(code === "ERR_PORTREEVE_READER_LIMIT" || code === "ERR_PORTREEVE_UNEXPECTED_END", String(error));
        }
        const lines = Buffer.concat(chunks).filter((byte) => byte === 10).length;
        assert.ok(read <= lines);
        connection.kill();
        client.destroy();
      },
    ),
    { numRuns: 150 },
  );
});
