/** What clients say in raw bytes, good and bad. Each ends by the server's doing. */
import { fin } from "./client.ts";
import type { Dialogue } from "./client.ts";

function ask(path: string, ...headers: string[]): string {
  return `${[`GET ${path} HTTP/1.1`, "Host: x", ...headers].join("\r\n")}\r\n\r\n`;
}

function post(path: string, ...headers: string[]): string {
  return ask(path, ...headers).replace("GET", "POST");
}

const last = ask("/last", "Connection: close");
const chunked = "Transfer-Encoding: chunked";

/** Exchanges that leave the connection open, each with what its answer ends with. */
export const exchanges: Readonly<Record<string, { readonly says: string; readonly gets: RegExp }>> = {
  "keep-alive": { says: ask("/"), gets: /GET \/ 1\.1$/ },
  "a body with a length": { says: `${post("/echo", "Content-Length: 5")}hello`, gets: /hello \{\}$/ },
  "a chunked body": { says: `${post("/echo", chunked)}5\r\nhello\r\n0\r\n\r\n`, gets: /hello \{\}$/ },
  "a chunked body with trailers": {
    says: `${post("/echo", chunked)}2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\nX-Sum: 5\r\n\r\n`,
    gets: /hello \{"x-sum":"5"\}$/,
  },
  "a chunked answer": { says: ask("/chunked"), gets: /two\r\n0\r\n\r\n$/ },
  "an answer with trailers": { says: ask("/trailers", "TE: trailers"), gets: /X-Sum: 4\r\n\r\n$/ },
  "103 and 102": { says: ask("/hints"), gets: /after hints$/ },
  HEAD: { says: ask("/").replace("GET", "HEAD"), gets: /\r\n\r\n$/ },
  "HEAD of a chunked answer": { says: ask("/chunked").replace("GET", "HEAD"), gets: /\r\n\r\n$/ },
  "204": { says: ask("/empty"), gets: /\r\n\r\n$/ },
  "304": { says: ask("/same"), gets: /\r\n\r\n$/ },
  "500 of the program": { says: ask("/error"), gets: /failed\r\n0\r\n\r\n$/ },
  "an answer that takes a moment": { says: ask("/late"), gets: /late$/ },
  OPTIONS: { says: ask("*").replace("GET", "OPTIONS"), gets: /OPTIONS \* 1\.1$/ },
  "an answer before the body": { says: `${post("/early", "Content-Length: 3")}abc`, gets: /early$/ },
  "a big answer": { says: ask("/big"), gets: /big!$/ },
  "an answer under a timeout of the program": { says: ask("/hurried"), gets: /hurried$/ },
  "empty lines first": { says: `\r\n\r\n${ask("/")}`, gets: /GET \/ 1\.1$/ },
};

/** What the parser refuses. */
export const faults: Readonly<Record<string, Dialogue>> = {
  "no HTTP": ["what is this\r\n\r\n"],
  "an unknown method": ["BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n"],
  "an unknown version": ["GET / HTTP/7.3\r\nHost: x\r\n\r\n"],
  "two lengths": [post("/echo", "Content-Length: 5", "Content-Length: 6")],
  "a length and chunks": [post("/echo", "Content-Length: 5", chunked)],
  "a chunk that is none": [`${post("/early", chunked)}zz\r\n`],
  "a header that is none": ["GET / HTTP/1.1\r\nHost: x\r\nbad\x01header: 1\r\n\r\n"],
  "too long a head": [ask("/", `long: ${"x".repeat(20_000)}`)],
  "nonsense behind a good request": [ask("/1"), { gets: /\/1 1\.1$/ }, "what is this\r\n\r\n"],
};

/** Whole conversations. */
export const dialogues: Readonly<Record<string, Dialogue>> = {
  "keep-alive, one after the other": [ask("/1"), { gets: /\/1 1\.1$/ }, ask("/2"), { gets: /\/2 1\.1$/ }, last],
  pipelining: [ask("/1") + ask("/late") + ask("/chunked") + ask("/2") + last],
  "pipelining of bodies": [
    `${post("/echo", "Content-Length: 2")}ab${post("/echo", chunked)}1\r\nc\r\n0\r\n\r\n${last}`,
  ],
  "pipelining behind a close": [ask("/close") + ask("/never-heard")],
  "a head in pieces": ["GET / HT", "TP/1.1\r\nHost", ": x\r\nConnection: close\r\n\r\n"],
  "Expect: 100-continue": [
    post("/echo", "Expect: 100-continue", "Content-Length: 5", "Connection: close"),
    { gets: /100 Continue\r\n\r\n$/ },
    "hello",
  ],
  "an expectation that nobody meets": [ask("/", "Expect: wonders", "Connection: close")],
  "HTTP/1.0": ["GET / HTTP/1.0\r\n\r\n"],
  "HTTP/1.0 that would keep alive": ["GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"],
  "HTTP/1.0, chunked answer": ["GET /chunked HTTP/1.0\r\n\r\n"],
  "no Host": ["GET / HTTP/1.1\r\n\r\n"],
  "100 headers": [ask("/headers", ...Array.from({ length: 98 }, (_, i) => `h${i}: ${i}`), "Connection: close")],
  "an upgrade that nobody listens for": [ask("/", "Connection: Upgrade, close", "Upgrade: other")],
  "CONNECT that nobody listens for": ["CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"],
  "a socket that the program destroys": [ask("/destroyed")],
  "a socket that the program destroys with an error": [ask("/broken")],
  "a timeout of a request, and the next request": [
    ask("/hurried"),
    { gets: /hurried$/ },
    ask("/timeout", "Connection: close"),
  ],
  "a timeout set between two requests": [ask("/hurries"), { gets: /hurries$/ }, ask("/timeout", "Connection: close")],
  "FIN between requests": [ask("/1"), { gets: /\/1 1\.1$/ }, fin],
  "FIN at once": [fin],
};

export { last };
