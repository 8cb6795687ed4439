/**
 * Requests, responses and servers of HTTP/1.1.
 */
import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { listening } from "../support.ts";
import { serverSpecimen, streamSpecimen } from "./specimen.ts";
import type { Case } from "./specimen.ts";

async function exchange() {
  const { server, port } = await listening(createServer());
  const received = once(server, "request") as Promise<[IncomingMessage, ServerResponse]>;
  const client = request({ host: "127.0.0.1", port, method: "POST", agent: new Agent({ keepAlive: true }) });
  client.on("error", () => {});
  client.flushHeaders();
  const [incoming, response] = await received;
  const cleanUp = (): void => {
    client.destroy();
    server.close();
    server.closeAllConnections();
  };
  return { server, client, incoming, response, cleanUp };
}

export const http1Cases: readonly Case[] = [
  {
    what: "an HTTP request of a client",
    kind: "stream",
    async make() {
      const { client: resource, cleanUp } = await exchange();
      const endByItself = () => new Promise((resolve) => resource.destroy().on("close", resolve));
      return { resource, hasEnded: () => resource.destroyed, endByItself, cleanUp };
    },
  },
  {
    what: "an HTTP request at the server",
    kind: "stream",
    async make() {
      const { incoming, cleanUp } = await exchange();
      return streamSpecimen(incoming, cleanUp);
    },
  },
  {
    what: "an HTTP response",
    kind: "stream",
    async make() {
      const { response: resource, client, cleanUp } = await exchange();
      const endByItself = () => {
        client.end();
        return once(resource.end("done"), "close");
      };
      return { resource, hasEnded: () => resource.closed, endByItself, cleanUp };
    },
  },
  { what: "an HTTP server", kind: "HTTP server", make: () => serverSpecimen(createServer()), mute: true },
];
