/** The servers of the shutdown matrix: one a protocol, all of them doing what the client's first words ask for. */
import { createServer as createHttp } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttp2, createSecureServer as createHttp2Secure } from "node:http2";
import { createServer as createHttps } from "node:https";
import { createServer as createNet } from "node:net";
import type { Server, Socket } from "node:net";
import { createServer as createTls } from "node:tls";
import type { KeyPair } from "../../support/certificate.ts";
import { muchMoreThanFits } from "./scene.ts";
import type { Scene } from "./scene.ts";
import { accept } from "./websocket.ts";

export type ProtocolName = "http" | "https" | "h2" | "h2c" | "net" | "tls" | "ws" | "wss";

export function isSecure(protocol: ProtocolName): boolean {
  return protocol === "https" || protocol === "h2" || protocol === "tls" || protocol === "wss";
}

export function makeServer(protocol: ProtocolName, pair: KeyPair, scene: Scene): Server {
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    scene.begun++;
    void answer(request, response);
  };
  // The compatible requests and responses of HTTP/2 do all that is done here.
  const make: Readonly<Record<ProtocolName, () => Server>> = {
    http: () => createHttp(onRequest),
    https: () => createHttps(pair, onRequest),
    h2: () => createHttp2Secure(pair, onRequest as never),
    h2c: () => createHttp2(onRequest as never),
    net: () => createNet((socket) => converse(socket, scene)),
    tls: () => createTls(pair, (socket) => converse(socket, scene)),
    ws: () => createHttp(onRequest).on("upgrade", (request, socket) => accept(request, socket as Socket, scene)),
    wss: () =>
      createHttps(pair, onRequest).on("upgrade", (request, socket) => accept(request, socket as Socket, scene)),
  };
  return make[protocol]();
}

/**
 * `/after/600` is answered after so many milliseconds, `/begun/400` begins at once and ends then; `/never` is not
 * answered, `/endless` begins and does not end, `/upload` says how much came, `/big` is too much for a client that does
 * not read.
 */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, what, ms] = (request.url ?? "").split("/");
  response.on("error", () => {});
  if (what === "after") setTimeout(() => response.end("whole"), Number(ms));
  else if (what === "begun") {
    response.write("begun");
    setTimeout(() => response.end(" and whole"), Number(ms));
  } else if (what === "endless") response.write("begun");
  else if (what === "big") response.end(muchMoreThanFits);
  else if (what === "upload") {
    let length = 0;
    try {
      for await (const chunk of request) length += (chunk as Buffer).length;
      response.end(`${length} bytes`);
    } catch {
      // The client is gone.
    }
  } else if (what !== "never") response.end("ok");
}

/** Echoes; "big" is answered with too much for a client that does not read. */
function converse(socket: Socket, scene: Scene): void {
  socket.on("error", () => {});
  socket.on("data", (data: Buffer) => {
    scene.begun++;
    socket.write(data.toString() === "big" ? muchMoreThanFits : data);
  });
}
