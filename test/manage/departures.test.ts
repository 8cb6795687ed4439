/**
 * A client that leaves stops what is done for it: a handler that waits for an upstream with its request's signal goes on
 * within 50 ms, and the upstream sees it go. The clock is the real one.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect as connectHttp2, constants, createSecureServer, createServer as createHttp2 } from "node:http2";
import type { ClientHttp2Stream } from "node:http2";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { custodianOf, manage } from "../../src/index.ts";
import { certificate } from "../support/certificate.ts";
import { dial, gate } from "../support/clients.ts";
import { Pauses } from "../support/pauses.ts";
import { deafUpstream } from "../support/upstream.ts";
import { get } from "../protocols/http1/web.ts";

type Protocol = "http" | "https" | "h2" | "h2c";

/** Milliseconds from a client's leaving until nobody works for it any more. */
const promised = 50;

/** A client in the middle of a request. */
interface Client {
  /** The connection of TCP below everything. */
  readonly socket: Socket;
  /** Where requests are streams. */
  readonly stream?: ClientHttp2Stream;
}

async function makeServer(protocol: Protocol): Promise<Server> {
  if (protocol === "http") return createHttp();
  if (protocol === "https") return createHttps(await certificate());
  return protocol === "h2c" ? createHttp2() : createSecureServer(await certificate());
}

/** A client of `protocol` that asks for "/" and never ends by itself. */
async function askFrom(t: TestContext, protocol: Protocol, port: number): Promise<Client> {
  const socket = await dial(port, { allowHalfOpen: true });
  t.after(() => socket.destroy());
  const isHttp2 = protocol === "h2" || protocol === "h2c";
  let top = socket;
  if (protocol === "https" || protocol === "h2") {
    top = connectTls({ socket, rejectUnauthorized: false, ...(isHttp2 && { ALPNProtocols: ["h2"] }) });
    top.on("error", () => {});
    await once(top, "secureConnect");
  }
  if (!isHttp2) {
    top.write(get("/"));
    return { socket };
  }
  const session = connectHttp2("http://127.0.0.1", { createConnection: () => top });
  session.on("error", () => {});
  const stream = session.request({ ":path": "/" });
  stream.on("error", () => {});
  return { socket, stream };
}

const closes = (client: Client): unknown => client.socket.destroy();
const resets = (client: Client): unknown => client.socket.resetAndDestroy();
const saysFin = (client: Client): unknown => client.socket.end();
const cancels = (client: Client): unknown => client.stream?.close(constants.NGHTTP2_CANCEL);

const http1 = { "closes its connection": closes, "resets its connection": resets, "says FIN": saysFin };
const http2 = { "closes its connection": closes, "resets its connection": resets, "resets its stream": cancels };

const departures: Readonly<Record<Protocol, Readonly<Record<string, (client: Client) => unknown>>>> = {
  http: http1,
  https: http1,
  h2: http2,
  h2c: http2,
};

for (const [protocol, ways] of Object.entries(departures) as [Protocol, (typeof departures)[Protocol]][]) {
  for (const [way, leave] of Object.entries(ways)) {
    test(`${protocol}: a fetch with the request's signal stops within ${promised} ms when the client ${way}; the upstream sees it`, async (t) => {
      const upstream = await deafUpstream(t);
      const stopped = gate<number>();
      const server = await makeServer(protocol);
      server.on("request", async (request: IncomingMessage, response: ServerResponse) => {
        await fetch(upstream.url, { signal: custodianOf(request).signal }).catch(() => {});
        stopped.open(performance.now());
        response.end();
      });
      const managed = manage(server);
      t.after(() => managed.close());
      await once(server.listen(0, "127.0.0.1"), "listening");
      const client = await askFrom(t, protocol, (server.address() as AddressInfo).port);
      await upstream.asked;

      const pauses = new Pauses();
      const began = performance.now();
      leave(client);
      const [stop, seen] = await Promise.all([stopped.promise, upstream.left]);
      const allowed = promised + pauses.end();
      assert.ok(stop - began <= allowed, `the handler stopped after ${stop - began} ms`);
      assert.ok(seen - began <= allowed, `the upstream saw it after ${seen - began} ms`);
    });
  }
}
