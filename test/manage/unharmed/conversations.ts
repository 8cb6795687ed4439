/** What clients of HTTP/2 say, frame by frame. Each ends with the client's FIN, if the server has not ended it by then. */
import type { Server } from "node:net";
import type { FrameClient } from "../../support/frame-client.ts";
import { data, frame, frameTypes, ping, request, reset, trailers, windowUpdate } from "../../support/http2-frames.ts";

export type Conversation = (client: FrameClient, server: Server) => Promise<void>;

const over = /ended|reset/;

function gets(path: string, headers: Record<string, string> = {}): Conversation {
  return (client) => client.hello().get(1, path, headers).sees(1, over);
}

export const conversations: Readonly<Record<string, Conversation>> = {
  GET: gets("/"),
  async HEAD(client) {
    await client
      .hello()
      .write(request(1, { path: "/", method: "HEAD" }))
      .sees(1, over);
  },
  "204": gets("/empty"),
  "304": gets("/same"),
  "a stream that the program does not know": gets("/unknown"),
  "an answer in pieces": gets("/pieces"),
  "an answer with trailers": gets("/trailers"),
  "103, and the answer": gets("/hints"),
  "a file": gets("/file"),
  "a pushed stream": async (client) => {
    await client.hello().get(1, "/push").sees(1, over);
    await client.sees(2, over);
  },
  "no pushed stream for a client that wants none": async (client) => {
    await client.hello({ 2: 0 }).get(1, "/push").sees(1, over);
  },
  "a stream that the program closes with a code": gets("/cancelled"),
  "a stream that the program destroys": gets("/destroyed"),
  "a stream that the program destroys with an error": gets("/broken"),
  "a stream that the program destroys in the middle of its answer": gets("/half"),
  async "a body"(client) {
    client.hello().post(1, "/echo", "one,");
    await client.write(data(1, "two", true)).sees(1, over);
  },
  async "a body as long as the window"(client) {
    client.hello().post(1, "/echo", "", { "content-length": "60000" });
    for (let i = 0; i < 5; i++) client.write(data(1, "x".repeat(12_000), i === 4));
    await client.sees(1, over);
  },
  async "a body without bytes"(client) {
    client.hello().post(1, "/echo");
    await client.write(data(1, "", true)).sees(1, over);
  },
  async "a body with trailers"(client) {
    client.hello().post(1, "/echo", "body");
    await client.write(trailers(1, { "x-sum": "4" })).sees(1, over);
  },
  async "an answer before the body, which comes all the same"(client) {
    client.hello().post(1, "/early", "half");
    await client.sees(1, over);
    client.write(data(1, "the rest", true)).get(3, "/");
    await client.sees(3, over);
  },
  async "Expect: 100-continue"(client) {
    client.hello().post(1, "/echo", "", { expect: "100-continue" });
    await client.write(data(1, "body", true)).sees(1, over);
  },
  "an expectation that nobody meets": gets("/", { expect: "wonders" }),
  async "several streams side by side"(client) {
    client.hello();
    const all = ["/held", "/", "/pieces", "/trailers", "/hints"].map((path, i) => request(1 + 2 * i, { path }));
    client.write(Buffer.concat(all));
    for (const stream of [3, 5, 7, 9]) await client.sees(stream, over);
    await client.get(11, "/release").sees(1, over);
    await client.sees(11, over);
  },
  async "many streams, one after the other"(client) {
    client.hello();
    for (let stream = 1; stream < 40; stream += 2) await client.get(stream, "/").sees(stream, over);
  },
  async "a stream that the client resets, and another"(client) {
    client.hello().get(1, "/held").get(3, "/");
    await client.sees(3, over);
    client.write(reset(1, 8)).get(5, "/");
    await client.sees(5, over);
  },
  async "a stream that the client resets in the middle of its body"(client) {
    client.hello().post(1, "/echo", "half").get(3, "/");
    await client.sees(3, over);
    client.write(reset(1, 8)).get(5, "/");
    await client.sees(5, over);
  },
  async "a stream that the client resets without an error"(client) {
    client.hello().get(1, "/held").get(3, "/");
    await client.sees(3, over);
    client.write(reset(1, 0)).get(5, "/");
    await client.sees(5, over);
  },
  async "much, as the client grants it"(client) {
    client.hello().get(1, "/much");
    await client.sees(1, /65535 bytes/);
    client.write(Buffer.concat([windowUpdate(0, 100_000), windowUpdate(1, 50_000)]));
    await client.sees(1, /115535 bytes/);
    await client.write(windowUpdate(1, 100_000)).sees(1, over);
  },
  async "PING, and a stream"(client) {
    await client.hello().write(ping()).get(1, "/").sees(1, over);
  },
  async "GOAWAY of the client"(client) {
    await client.hello().get(1, "/").sees(1, over);
    client.write(frame(frameTypes.goaway, { payload: Buffer.alloc(8) }));
  },
  async "a client that says FIN in the middle of an answer"(client) {
    await client.hello().get(1, "/held").get(3, "/").sees(3, over);
  },
  async "nothing but the preface"(client) {
    client.hello();
    await client.hears(frameTypes.settings);
  },
  async "what is no HTTP/2"(client) {
    client.write("what is this, which is long enough for a preface\r\n\r\n");
    await client.ended;
  },
  async "a header that HTTP/2 has not"(client) {
    await client.hello().get(1, "/", { connection: "close" }).sees(1, over);
  },
  async "session.close() within a stream, and another in flight"(client) {
    await client.hello().get(1, "/held").get(3, "/goodbye").sees(1, over);
    await client.ended;
  },
  async "session.close() within the only stream"(client) {
    await client.hello().get(1, "/goodbye").sees(1, over);
    await client.ended;
  },
  async "session.destroy() within a stream"(client) {
    client.hello().get(1, "/end");
    await client.ended;
  },
  async "session.destroy() with a code within a stream"(client) {
    client.hello().get(1, "/fail");
    await client.ended;
  },
  async "settings, ping, altsvc and origin of the program"(client) {
    await client.hello().get(1, "/session").sees(1, over);
  },
  async "server.close() with a stream in flight"(client, server) {
    await client.hello().get(1, "/held").get(3, "/").sees(3, over);
    server.close();
    server.emit("release");
    await client.sees(1, over);
  },
  async "server.close() with an idle session"(client, server) {
    await client.hello().get(1, "/").sees(1, over);
    server.close();
  },
};

interface Dead {
  readonly says: Conversation;
  readonly goaways: readonly string[];
  /** Whether a bare server of a newer Node ends it, too. */
  readonly isNoticed: boolean;
}

/** After these nothing can be said on the session any more; a bare server keeps the connection all the same, and hears of nothing. */
export const dead: Readonly<Record<string, Dead>> = {
  "after a fault that nghttp2 finds": {
    async says(client) {
      await client.hello().get(1, "/").sees(1, over);
      await client.write(data(0, "on no stream")).hears(frameTypes.goaway);
    },
    goaways: ["last 1, PROTOCOL_ERROR"],
    isNoticed: Number.parseInt(process.versions.node, 10) > 20,
  },
  "after session.goaway() of the program, with its last stream": {
    async says(client) {
      await client.hello().get(1, "/warning").sees(1, over);
      await client.hears(frameTypes.goaway);
    },
    goaways: ["last 1, NO_ERROR"],
    isNoticed: false,
  },
};
