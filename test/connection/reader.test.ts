import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, settle } from "../support/connections.ts";

test("a line comes without its ending, LF or CRLF, and as UTF-8", async () => {
  const { connection, client } = connect();
  client.end("one\r\ntwo\n\n\r\nvier Äpfel\r\nlone\rCR\n");
  const lines: (string | null)[] = [];
  for (let line = await connection.reader.line(); line !== null; line = await connection.reader.line())
    lines.push(line);
  assert.deepEqual(lines, ["one", "two", "", "", "vier Äpfel", "lone\rCR"]);
  connection.kill();
});

test("bytes come in the number asked for; none at all are there at once", async () => {
  const { connection, client } = connect();
  assert.equal((await connection.reader.bytes(0))?.length, 0);
  client.write("abc");
  const reading = connection.reader.bytes(5);
  await settle();
  client.write("defg");
  assert.equal(String(await reading), "abcde");
  assert.equal(connection.reader.buffered, 2);
  assert.equal(String(await connection.reader.bytes("2 B")), "fg");
  connection.kill();
});

test("until reads the delimiter too, and does not give it back", async () => {
  const { connection, client } = connect();
  client.write("head\r\n\r");
  const reading = connection.reader.until("\r\n\r\n");
  await settle();
  client.write("\nbody|");
  assert.equal(String(await reading), "head");
  assert.equal(String(await connection.reader.until(Buffer.from("|"))), "body");
  connection.kill();
});

test("what comes after an item stays for the next call, of whatever kind", async () => {
  const { connection, client } = connect();
  client.end("SET 5\r\nhello;rest\nno");
  assert.equal(await connection.reader.line(), "SET 5");
  assert.equal(String(await connection.reader.bytes(5)), "hello");
  assert.equal(String(await connection.reader.until(";")), "");
  assert.equal(await connection.reader.line(), "rest");
  assert.equal(String(await connection.reader.bytes(2)), "no");
  assert.equal(await connection.reader.line(), null);
  connection.kill();
});

test("null says that the client ended before the item began, every time", async () => {
  const { connection, client } = connect();
  client.end();
  assert.equal(await connection.reader.line(), null);
  assert.equal(await connection.reader.bytes(1), null);
  assert.equal(await connection.reader.until("x"), null);
  connection.kill();
});

test("a client that ends in the middle of an item is an UnexpectedEndError that counts the bytes", async () => {
  for (const read of ["line", "bytes", "until"] as const) {
    const { connection, client } = connect();
    client.end("half");
    const { reader } = connection;
    const reading = read === "line" ? reader.line() : read === "bytes" ? reader.bytes(10) : reader.until("|");
    await assert.rejects(reading, { code: "ERR_PORTREEVE_UNEXPECTED_END", received: 4 });
    connection.kill();
  }
});

test("an item longer than allowed is a ReaderLimitError, as soon as that is certain", async () => {
  const { connection, client } = connect();
  client.write("12345\r\n");
  assert.equal(await connection.reader.line(5), "12345");
  client.write("123456");
  const reading = connection.reader.line(5);
  await settle();
  client.write("7");
  await assert.rejects(reading, { code: "ERR_PORTREEVE_READER_LIMIT", limit: 5 });
  connection.kill();

  const other = connect();
  other.client.write("123456\n");
  await assert.rejects(other.connection.reader.line(5), { code: "ERR_PORTREEVE_READER_LIMIT" });
  other.connection.kill();

  const third = connect();
  third.client.write("12345ab");
  await assert.rejects(third.connection.reader.until("|", 5), { code: "ERR_PORTREEVE_READER_LIMIT", limit: 5 });
  third.connection.kill();
});

test("until accepts an item of exactly the length allowed", async () => {
  const { connection, client } = connect();
  client.write("12345");
  const reading = connection.reader.until("||", 5);
  await settle();
  client.write("|");
  await settle();
  client.write("|");
  assert.equal(String(await reading), "12345");
  connection.kill();
});

test("a second read while one is under way is refused, and the first goes on", async () => {
  const { connection, client } = connect();
  const first = connection.reader.line();
  await assert.rejects(connection.reader.line(), { code: "ERR_PORTREEVE_ARGUMENT_TYPE" });
  client.write("fine\n");
  assert.equal(await first, "fine");
  connection.kill();
});

test("a read that waits is told when the connection ends on our side, and why", async () => {
  const { connection } = connect();
  const reading = connection.reader.line();
  connection.kill("evicted");
  await assert.rejects(reading, { code: "ERR_PORTREEVE_CONNECTION_CLOSED", reason: "evicted" });
  await assert.rejects(connection.reader.line(), { code: "ERR_PORTREEVE_CONNECTION_CLOSED", reason: "evicted" });
});

test("the reader reads no further than the stream's own buffer while nobody asks", async () => {
  const { connection, client, server } = connect();
  client.write("first\n");
  assert.equal(await connection.reader.line(), "first");
  for (let i = 0; i < 100; i++) client.write(Buffer.alloc(10_000));
  await settle();
  assert.ok(server.bytesRead <= 200_000, `${server.bytesRead} bytes were taken`);
  assert.ok(client.writableLength > 800_000);
  connection.kill();
});

test("what was handed out is never written to again", async () => {
  const { connection, client } = connect();
  client.write("aaaa");
  const first = await connection.reader.bytes(2);
  client.write("bbbbbb");
  const second = await connection.reader.bytes(5);
  client.write("cccc");
  await connection.reader.bytes(5);
  assert.equal(String(first), "aa");
  assert.equal(String(second), "aabbb");
  connection.kill();
});
