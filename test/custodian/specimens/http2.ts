/**
 * Streams, sessions and servers of HTTP/2.
 */
import { once } from "node:events";
import { connect, createServer } from "node:http2";
import type { Http2Session, Http2Stream, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { listening } from "../support.ts";
import { close, serverSpecimen } from "./specimen.ts";
import type { Case, Specimen } from "./specimen.ts";

async function exchange() {
  const { server, port } = await listening(createServer());
  const opened = once(server, "session") as Promise<[ServerHttp2Session]>;
  const received = once(server, "stream") as Promise<[ServerHttp2Stream]>;
  const session = connect(`http://127.0.0.1:${port}`);
  const client = session.request({ ":method": "POST" });
  const [[serverSession], [stream]] = await Promise.all([opened, received]);
  const cleanUp = (): void => {
    session.destroy();
    serverSession.destroy();
    server.close();
  };
  return { server, session, serverSession, client, stream, cleanUp };
}

/** One that ends by its own close(). */
function ownSpecimen(resource: Http2Session | Http2Stream, cleanUp: () => unknown): Specimen {
  return { resource, hasEnded: () => resource.destroyed, endByItself: () => once(close(resource), "close"), cleanUp };
}

export const http2Cases: readonly Case[] = [
  {
    what: "an HTTP/2 stream of a client",
    kind: "http2 stream",
    async make() {
      const { client, cleanUp } = await exchange();
      return ownSpecimen(client, cleanUp);
    },
  },
  {
    what: "an HTTP/2 stream of a server",
    kind: "http2 stream",
    async make() {
      const { client, stream, cleanUp } = await exchange();
      client.on("error", () => {});
      return ownSpecimen(stream, cleanUp);
    },
  },
  {
    what: "an HTTP/2 session of a client",
    kind: "http2 session",
    async make() {
      const { session, client, cleanUp } = await exchange();
      client.close();
      return ownSpecimen(session, cleanUp);
    },
  },
  {
    what: "an HTTP/2 session of a server",
    kind: "http2 session",
    async make() {
      const { serverSession, client, cleanUp } = await exchange();
      client.on("error", () => {}).close();
      return ownSpecimen(serverSession, cleanUp);
    },
  },
  { what: "an HTTP/2 server", kind: "HTTP server", make: () => serverSpecimen(createServer()), mute: true },
];
