/**
 * Limits that only observe: a form over all of them is read whole, and each is published once; limits that the program gives
 * to `parseFormData` itself are in force.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { connect, createServer as createHttp2 } from "node:http2";
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { manage } from "../../src/index.ts";
import { FormDataError, parseFormData } from "../../src/protocols/form-data/form-data.ts";
import type { FormDataRequest, ParseFormDataOptions } from "../../src/protocols/form-data/form-data.ts";
import { collectEvents } from "../../src/testing/index.ts";
import { field, file, multipart, multipartType, oracle, see, temporaryFolder, urlencodedType } from "./form-server.ts";
import type { Seen } from "./form-server.ts";

const limits = {
  maxRequestBodyLength: 10,
  maxFormDataFields: 1,
  maxFormDataFieldLength: 2,
  maxFormDataFiles: 1,
  maxFormDataFileLength: 5,
  maxFormDataParts: 3,
  maxFormDataHeaderLength: 3,
};

const parts = [field("a", "long"), field("b", "longer"), file("c", "also long"), file("d", "longer still")];

const forms = {
  multipart: {
    type: multipartType,
    body: multipart(parts),
    broken: Object.keys(limits).filter((name) => /Form/.test(name)),
  },
  urlencoded: {
    type: urlencodedType,
    body: `a=${"%20long+".repeat(10)}&longer=%C3%A4%C3%A4&${"longest".repeat(10)}=`,
    broken: ["maxFormDataFieldLength", "maxFormDataFields", "maxFormDataHeaderLength", "maxRequestBodyLength"],
  },
} as const;

async function answerTo(request: FormDataRequest, options?: ParseFormDataOptions): Promise<string> {
  try {
    return JSON.stringify(await see(await parseFormData(request, options)));
  } catch (error) {
    return error instanceof FormDataError ? `${error.status} ${error.limit}` : String(error);
  }
}

type Ask = (body: string | Buffer, type: string) => Promise<string>;

/** A server of HTTP/1.1 under a manager that only observes, and a client that sends it forms. */
async function overHttp(t: TestContext, options?: ParseFormDataOptions): Promise<Ask> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.end(await answerTo(request, options));
  };
  const port = await startObserved(
    t,
    createServer((request, response) => void answer(request, response)),
  );
  return async (body, type) => {
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: "POST",
      body,
      headers: { "content-type": type },
    });
    return response.text();
  };
}

/** The same of HTTP/2, with the requests of its compatibility layer or with its own streams. */
async function overHttp2(t: TestContext, style: "request" | "stream"): Promise<Ask> {
  const server = createHttp2();
  const answerRequest = async (request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> => {
    response.end(await answerTo(request));
  };
  const answerStream = async (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> => {
    const said = await answerTo(stream, { headers });
    stream.respond({ ":status": 200 });
    stream.end(said);
  };
  if (style === "request") server.on("request", (request, response) => void answerRequest(request, response));
  else server.on("stream", (stream, headers) => void answerStream(stream, headers));
  const port = await startObserved(t, server);
  const client = connect(`http://127.0.0.1:${port}`);
  t.after(() => client.destroy());
  return (body, type) => text(client.request({ ":method": "POST", "content-type": type }).end(body));
}

async function startObserved(t: TestContext, server: Server): Promise<number> {
  const managed = manage(server, { observeOnly: true, safetyLimits: limits });
  temporaryFolder(t, () => managed.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

function listenForSpared(t: TestContext): () => string[] {
  const events = collectEvents(["portreeve.connection.spared"]);
  t.after(() => events[Symbol.dispose]());
  return () => (events.messages("portreeve.connection.spared") as { limit: string }[]).map(({ limit }) => limit).sort();
}

const servers: Readonly<Record<string, (t: TestContext) => Promise<Ask>>> = {
  "HTTP/1.1": (t) => overHttp(t),
  "HTTP/2, as a request": (t) => overHttp2(t, "request"),
  "HTTP/2, as a stream": (t) => overHttp2(t, "stream"),
};

for (const [name, start] of Object.entries(servers)) {
  for (const [kind, { type, body, broken }] of Object.entries(forms)) {
    test(`a ${kind} form by ${name} that is over all limits is read whole, and each limit is published once a form`, async (t) => {
      const spared = listenForSpared(t);
      const ask = await start(t);
      for (let round = 1; round <= 2; round++) {
        const seen = JSON.parse(await ask(body, type)) as Seen;
        const strip = (all: Seen): unknown =>
          all.map(([key, value]) => [key, typeof value === "string" ? value : value.content]);
        assert.deepEqual(strip(seen), strip(await oracle(body, type)));
        assert.deepEqual(
          spared(),
          Array.from({ length: round }, () => broken)
            .flat()
            .toSorted(),
        );
      }
    });
  }
}

test("limits that the program gives to parseFormData are in force where those of its server only observe", async (t) => {
  const spared = listenForSpared(t);
  const ask = await overHttp(t, { safetyLimits: { maxFormDataFileLength: 5 } });
  assert.equal(await ask(multipart([file("a", "longer")]), multipartType), "413 maxFormDataFileLength");
  assert.deepEqual(spared(), []);
});
