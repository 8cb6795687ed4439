/** The program whose servers are managed: it does what a client's words ask for, and knows of no manager. */
import { createServer as createHttp } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttp2, createSecureServer as createHttp2Secure } from "node:http2";
import { createServer as createHttps } from "node:https";
import { createServer as createNet } from "node:net";
import type { Server, Socket } from "node:net";
import { createServer as createTls } from "node:tls";
import { gate } from "../../support/clients.ts";
import type { KeyPair } from "../../support/certificate.ts";
import { accept, closeOpcode } from "../shutdown-matrix/websocket.ts";
import { thrown } from "./script.ts";
import type { ProtocolName } from "./script.ts";

/** More than the kernel takes for a client that does not read. */
const muchMoreThanFits = Buffer.alloc(16 * 2 ** 20);

/** Opened when the drain has begun. */
export const draining = gate();

/** What the program holds until then. */
export const holding = { count: 0 };

const makers: Readonly<Record<ProtocolName, (pair: KeyPair) => Server>> = {
  http: () => createHttp(onRequest),
  https: (pair) => createHttps(pair, onRequest),
  // Their compatible requests and responses do all that is done here.
  h2: (pair) => createHttp2Secure(pair, onRequest as never),
  h2c: () => createHttp2(onRequest as never),
  net: () => createNet(converse),
  tls: (pair) => createTls(pair, converse),
  ws: () => createHttp().on("upgrade", (request, socket) => welcome(request, socket as Socket)),
};

export function makeServer(protocol: ProtocolName, pair: KeyPair): Server {
  return makers[protocol](pair);
}

function onRequest(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === "/throw") throw new Error(thrown);
  void answer(request, response);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  switch (request.url) {
    case "/begun":
    case "/stall":
      response.write("begun");
      return;
    case "/big":
      response.end(muchMoreThanFits);
      return;
    case "/upload": {
      let length = 0;
      try {
        for await (const piece of request) length += (piece as Buffer).length;
        response.end(`${length} bytes`);
      } catch {
        // The client is gone.
      }
      return;
    }
    case "/after-fin":
      request.socket.once("end", () => response.end("ok"));
      return;
    case "/gate":
      holding.count++;
      await draining.promise;
      response.end("late");
      return;
    case "/hold":
      holding.count++;
      return;
    case "/never":
      return;
    default:
      response.end("ok");
  }
}

function converse(socket: Socket): void {
  socket.on("error", () => {});
  socket.on("data", (data: Buffer) => {
    const words = data.toString("latin1");
    if (words === "hold") holding.count++;
    else if (words === "destroy") socket.destroy();
    else socket.write(words === "big" ? muchMoreThanFits : data);
  });
}

function welcome(request: IncomingMessage, socket: Socket): void {
  if (request.url === "/never") {
    socket.on("error", () => {});
    return;
  }
  accept(request, socket, { begun: 0 });
  socket.on("data", (frame: Buffer) => {
    const words = frame.subarray(6).toString("latin1");
    if (words === "hold") holding.count++;
    else if (words === "big") socket.write(muchMoreThanFits);
    else if ((frame.readUInt8(0) & 0x0f) !== closeOpcode) {
      socket.write(Buffer.concat([Buffer.of(0x81, words.length), frame.subarray(6)]));
    }
  });
}
