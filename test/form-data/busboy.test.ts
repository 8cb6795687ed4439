import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { hearHeaders, loadDicer } from "../../src/protocols/form-data/busboy.ts";
import { FormDataParserError } from "../../src/protocols/form-data/form-data.ts";

test("a version of @fastify/busboy that is not known is refused by name, and not used", () => {
  for (const stranger of [new Writable(), Object.assign(new Writable(), { _hparser: {} })]) {
    assert.throws(
      () => hearHeaders(stranger, () => {}),
      (error) =>
        error instanceof FormDataParserError &&
        error.code === "ERR_PORTREEVE_FORM_DATA_PARSER" &&
        /npm install @fastify\/busboy@3/.test(error.message),
    );
  }
});

test("the installed version shows each byte of a part's header, however it comes", async () => {
  const Dicer = await loadDicer();
  const body = "--b\r\nA: b\r\nC: d\r\n\r\ncontent\r\n--b\r\n\r\n\r\n--b--";
  for (let size = 1; size <= body.length; size++) {
    const dicer = new Dicer({ boundary: "b", maxHeaderSize: 0, maxHeaderPairs: 0, partHwm: 1000 });
    const headers = [""];
    hearHeaders(dicer, (piece, isLast) => {
      headers.push(`${headers.pop()}${piece.toString()}`);
      if (isLast) headers.push("");
    });
    dicer.on("part", (part: NodeJS.ReadableStream) => part.resume());
    for (let at = 0; at < body.length; at += size) dicer.write(Buffer.from(body.slice(at, at + size)));
    assert.deepEqual(headers, ["\r\nA: b\r\nC: d\r\n\r\n", "\r\n\r\n", ""]);
  }
});
