import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makeSafetyLimits } from "../../src/index.ts";
import { headSize, judgeHead } from "../../src/protocols/heads.ts";

const limits = makeSafetyLimits({
  maxRequestLineLength: 60,
  maxRequestHeaders: 4,
  maxRequestHeaderLength: 40,
  maxRequestBodyLength: 99,
});

const name = fc.stringMatching(/^[a-z-]{1,20}$/).filter((one) => !["content-length", "content-type"].includes(one));
const text = fc.stringMatching(/^[ -~]{0,40}$/);
const field = fc.tuple(name, text);
const fields = fc.array(field, { maxLength: 6 });

test("a head of HTTP/2 breaks the first limit that one of its parts is too long for, and no other", () => {
  fc.assert(
    fc.property(text, text, text, fields, (method, path, authority, headers) => {
      const raw = [":method", method, ":scheme", "https", ":path", path, ":authority", authority, ...headers.flat()];
      const expected =
        method.length + path.length > 60
          ? "maxRequestLineLength"
          : headers.length > 4
            ? "maxRequestHeaders"
            : headers.some(([key, value]) => key.length + 2 + value.length > 40)
              ? "maxRequestHeaderLength"
              : null;
      assert.equal(judgeHead(0, raw, limits).broken, expected);
      assert.equal(headSize(raw), raw.join("").length);
    }),
  );
});

test("a head of HTTP/1.1 is judged by its request line and its fields, and by the length that it announces", () => {
  fc.assert(
    fc.property(fc.nat(120), fields, fc.option(fc.nat(200)), fc.boolean(), (line, headers, length, isForm) => {
      const all: [string, string][] = [...headers];
      if (length !== null) all.push(["Content-Length", `${length}`]);
      if (isForm) all.push(["Content-Type", "multipart/form-data"]);
      const expected =
        line > 60
          ? "maxRequestLineLength"
          : all.length > 4
            ? "maxRequestHeaders"
            : all.some(([key, value]) => key.length + 2 + value.length > 40)
              ? "maxRequestHeaderLength"
              : !isForm && length !== null && length > 99
                ? "maxRequestBodyLength"
                : null;
      const { broken, hasBody, bodyIsLimited } = judgeHead(line, all.flat(), limits);
      assert.equal(broken, expected);
      assert.equal(bodyIsLimited, !isForm);
      assert.equal(hasBody, (length ?? 0) > 0 || headers.some(([key]) => key === "transfer-encoding"));
    }),
  );
});
