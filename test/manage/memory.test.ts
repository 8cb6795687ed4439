/** What is gone is not kept: clients of a managed server come and go in every way, while one stays. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { connect as tlsConnect } from "node:tls";
import { custodianOf, manage, requestOf } from "../../src/index.ts";
import type { Connection } from "../../src/index.ts";
import { certificate } from "../support/certificate.ts";
import { dial, until } from "../support/clients.ts";
import { get } from "../protocols/http1/web.ts";
import { askForUpgrade } from "../protocols/websocket/sockets.ts";
import { skip, survivors } from "../support/survivors.ts";

const each = 3;

/** Uses what a program can ask for of a request. */
const handle: RequestListener = (request, response) => {
  const asked = requestOf(request);
  asked.custodian.defer(() => {});
  asked.custodian.setTimeout(() => {}, "1h");
  asked.signal.addEventListener("abort", () => {});
  asked.resetTimeout("1h");
  custodianOf(request.socket);
  if (request.url === "/throw") throw new Error("on purpose");
  if (request.url === "/begin") response.write("begin");
  else if (request.url === "/wait") response.writeProcessing();
  else response.end("ok");
};

interface Client {
  socket: Socket;
  /** What it is that is connected: of TLS, the socket below. */
  raw: Socket;
}

/** Sends, and is gone as soon as something has come back. */
function goAfter({ socket, raw }: Client, text: string): void {
  socket.once("data", () => raw.resetAndDestroy());
  socket.write(text);
}

/** How clients leave: by what they send, and what they do then. */
const endings: Readonly<Record<string, (client: Client) => unknown>> = {
  silent: ({ socket }) => socket.destroy(),
  reset: ({ raw }) => raw.resetAndDestroy(),
  "half a head": ({ socket }) => socket.end("GET / HT"),
  "no HTTP": ({ socket }) => socket.write("\0\0\0\0\r\n\r\n"),
  answered: ({ socket }) => socket.end(get("/")),
  close: ({ socket }) => socket.write(get("/", "Connection: close")),
  pipelined: (client) => goAfter(client, get("/") + get("/") + get("/wait") + get("/wait")),
  waiting: (client) => goAfter(client, get("/wait")),
  begun: (client) => goAfter(client, get("/begin")),
  thrown: ({ socket }) => socket.write(get("/throw")),
  "half a body": (client) => goAfter(client, `${get("/wait", "Content-Length: 9")}half`),
  upgrade: (client) => goAfter(client, askForUpgrade("echo")),
  connect: (client) => goAfter(client, "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"),
};

for (const protocol of ["http", "https"] as const) {
  for (const observeOnly of [false, true]) {
    const name = `${protocol}${observeOnly ? ", observed" : ""}`;
    test(`${name}: however a client leaves, nothing of it is kept while another stays`, { skip }, async (t) => {
      const server = protocol === "http" ? createServer(handle) : createHttpsServer(await certificate(), handle);
      const takeOver = (_request: unknown, socket: Socket): void => {
        socket.on("error", () => {});
        socket.write("HTTP/1.1 101 Switching\r\n\r\n");
        socket.pipe(socket);
      };
      server.on("upgrade", takeOver).on("connect", takeOver);
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address() as AddressInfo;
      const call = async (): Promise<Client> => {
        const raw = await dial(port);
        if (protocol === "http") return { socket: raw, raw };
        const socket = tlsConnect({ socket: raw, rejectUnauthorized: false });
        await once(
          socket.on("error", () => {}),
          "secureConnect",
        );
        return { socket, raw };
      };
      // It is taken over; the others come later.
      const staying = await call();
      const managed = manage(server, { observeOnly, onError: () => {}, safetyLimits: { lingerTimeout: "50ms" } });
      t.after(() => {
        staying.raw.destroy();
        return managed.close();
      });
      await until(() => managed.connections.size === 1);
      const refs: WeakRef<object>[] = [];
      const note = (message: unknown): void => {
        const { connection } = message as { connection: Connection };
        refs.push(new WeakRef(connection), new WeakRef(connection.input));
      };
      subscribe("portreeve.connection.opened", note);
      t.after(() => unsubscribe("portreeve.connection.opened", note));
      for (const [way, leave] of Object.entries(endings)) {
        for (let i = 0; i < each; i++) {
          const client = await call();
          client.socket.resume();
          leave(client);
          if (!client.raw.closed) await once(client.raw, "close");
        }
        await until(() => managed.connections.size === 1);
        assert.equal(await survivors(refs), 0, way);
      }
      assert.equal(refs.length, 2 * each * Object.keys(endings).length);
    });
  }
}

test("of 2 000 requests on one connection nothing is kept", { skip }, async (t) => {
  const refs: WeakRef<object>[] = [];
  let endListeners = 0;
  const server = createServer((request, response) => {
    if (refs.length === 0) endListeners = request.socket.listenerCount("end");
    refs.push(new WeakRef(request), new WeakRef(response), new WeakRef(requestOf(request)));
    refs.push(new WeakRef(requestOf(request).custodian));
    handle(request, response);
  });
  const managed = manage(server, { safetyLimits: { maxRequestsPerConnection: Infinity } });
  t.after(() => managed.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = await dial((server.address() as AddressInfo).port);
  for (let i = 0; i < 2000; i++) {
    client.write(get("/"));
    await once(client, "data");
  }
  assert.equal(refs.length, 8000);
  // The parser of node:http has the last request until the next one comes.
  assert.ok((await survivors(refs)) <= 4);
  const [connection] = managed.connections;
  assert.equal(connection?.custodian.children().length, 0);
  assert.equal(connection?.input.listenerCount("end"), endListeners);
});
