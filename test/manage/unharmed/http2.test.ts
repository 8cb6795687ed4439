/**
 * HTTP/2 unharmed: with limits that nothing reaches, a server of node:http2 under a manager sends the same frames as a bare
 * one, and its program hears the same.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createSecureServer, createServer } from "node:http2";
import type { Http2Server, ServerHttp2Stream } from "node:http2";
import { describe, test } from "node:test";
import { certificate } from "../../support/certificate.ts";
import { FrameClient } from "../../support/frame-client.ts";
import { call } from "./client.ts";
import { conversations, dead } from "./conversations.ts";
import { framesByStream } from "./frames.ts";
import { compatible, streaming } from "./http2-programs.ts";
import { infinite, placeOf, reaches, sides, startPair } from "./servers.ts";

type Kind = "h2c" | "h2";

async function makerOf(kind: Kind, program: (server: Http2Server) => void): Promise<() => Http2Server> {
  const keys = kind === "h2" ? await certificate() : undefined;
  return () => {
    const server = keys === undefined ? createServer() : createSecureServer(keys);
    server.on("session", (session) => {
      const heard: string[] = [];
      for (const event of ["goaway", "close"]) session.on(event, (...args) => heard.push([event, ...args].join(" ")));
      session.on("error", ({ code, message }: NodeJS.ErrnoException) => heard.push(code ?? message));
      session.on("stream", (stream) => listenTo(stream, heard));
      session.on("close", () => setImmediate(() => server.emit("heard", heard)));
    });
    program(server);
    return server;
  };
}

function listenTo(stream: ServerHttp2Stream, heard: string[]): void {
  const { id } = stream;
  for (const event of ["aborted", "end", "finish"]) stream.on(event, () => heard.push(`${id} ${event}`));
  stream.on("error", ({ code, message }: NodeJS.ErrnoException) => heard.push(`${id} ${code ?? message}`));
  stream.on("close", () => heard.push(`${id} close ${stream.rstCode}`));
}

/** What the program hears of one half of a stream is in order; of both, of several, and of their session, it depends on time. */
function byStream(heard: readonly string[]): readonly string[] {
  const isSent = (what: string): boolean => what.endsWith("finish");
  const halves = [...heard.filter(isSent), ...heard.filter((what) => !isSent(what))];
  return halves.toSorted((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10));
}

for (const kind of ["h2c", "h2"] as const) {
  for (const reach of reaches) {
    for (const [api, program] of Object.entries({ "of streams": streaming, "of compatibility": compatible })) {
      void describe(`${kind}, the API ${api}, ${reach.name}`, () => {
        for (const [name, conversation] of Object.entries(conversations)) {
          test(name, { timeout: 20_000 }, async (t) => {
            const pair = await startPair(t, await makerOf(kind, program), reach);
            const [bare, managed] = await Promise.all(
              sides.map(async (side) => {
                const server = pair[side];
                const heard = once(server, "heard");
                const line = await call({ ...placeOf(server), ...(kind === "h2" && { protocol: "h2" }) });
                const client = new FrameClient(line.socket);
                await conversation(client, server);
                client.end();
                const ended = await line.ended;
                const frames = framesByStream(client.received);
                line.socket.destroy();
                return { frames, ended, heard: byStream((await heard)[0] as string[]) };
              }),
            );
            assert.deepEqual(managed, bare);
          });
        }
      });
    }
  }
}

void describe("the documented repair: a session on which nothing can be said any more ends", () => {
  for (const [name, { says, goaways, isNoticed }] of Object.entries(dead)) {
    test(name, { timeout: 20_000 }, async (t) => {
      const pair = await startPair(t, await makerOf("h2c", streaming), infinite);
      const [bare, managed] = await Promise.all(
        sides.map(async (side) => {
          const line = await call(placeOf(pair[side]));
          const client = new FrameClient(line.socket);
          await says(client, pair[side]);
          return client;
        }),
      );
      assert.equal(await managed?.ended, "FIN");
      assert.deepEqual(managed?.farewells, goaways);
      assert.deepEqual(bare?.farewells, goaways);
      if (!isNoticed) assert.equal(bare?.socket.readableEnded, false);
    });
  }
});
