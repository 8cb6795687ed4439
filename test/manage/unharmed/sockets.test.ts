/**
 * Sockets unharmed: with limits that nothing reaches, a server of node:net or tls under a manager sends the same bytes and
 * the same end as a bare one, and its program hears the same.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { describe, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { certificate } from "../../support/certificate.ts";
import { call, fin, hold } from "./client.ts";
import type { Client, Dialogue, Place } from "./client.ts";
import { placeOf, reaches, sides, startPair } from "./servers.ts";

interface Program {
  readonly serves: (socket: Socket) => void;
  readonly allowHalfOpen?: boolean;
  readonly says: Dialogue | ((client: Client) => Promise<void>);
  /** Of node:net alone. */
  readonly isPlain?: true;
}

const big = "big".repeat(1_000_000);

const programs: Readonly<Record<string, Program>> = {
  "an echo, until the client ends": {
    serves: (socket) => void socket.pipe(socket),
    says: ["one", { gets: /one$/ }, "two", { gets: /two$/ }, fin],
  },
  "an echo of what comes in one go with the end": { serves: (socket) => void socket.pipe(socket), says: ["one", fin] },
  "an echo of much": {
    serves: (socket) => void socket.pipe(socket),
    says: [`${big}!`, { gets: /!$/ }, fin],
  },
  "a server that speaks first": {
    serves: (socket) => void (socket.write("hello\n"), socket.pipe(socket)),
    says: [{ gets: /hello/ }, "one", { gets: /one$/ }, fin],
  },
  "an answer behind the client's end": {
    allowHalfOpen: true,
    serves(socket) {
      let heard = "";
      socket.setEncoding("latin1").on("data", (text: string) => (heard += text));
      socket.on("end", () => setImmediate(() => socket.end(`heard ${heard}`)));
    },
    says: ["one", fin],
  },
  "the server's end, and what the client says behind it": {
    allowHalfOpen: true,
    serves: (socket) => void socket.end("bye").resume(),
    says: [{ gets: /bye$/ }, "one", "two", fin],
  },
  "an end without a word": { serves: (socket) => void socket.end(), says: [fin] },
  "an end behind much": { serves: (socket) => void socket.end(big), says: [] },
  "much, and destroySoon": { serves: (socket) => (socket.write(big), socket.destroySoon()), says: [] },
  "a socket that is destroyed": { serves: (socket) => void socket.once("data", () => socket.destroy()), says: ["one"] },
  "a socket that is destroyed with an error": {
    serves: (socket) => void socket.once("data", () => socket.destroy(new Error("of the program"))),
    says: ["one"],
  },
  "a socket that is reset": {
    isPlain: true,
    serves: (socket) => void socket.once("data", () => socket.resetAndDestroy()),
    says: ["one"],
  },
  "a client that leaves without a word": { serves: (socket) => void socket.resume(), says: [fin] },
  "a client that resets": {
    isPlain: true,
    serves: (socket) => void socket.pipe(socket),
    async says(client) {
      client.say("one");
      await client.gets(/one$/);
      client.socket.resetAndDestroy();
    },
  },
  "a timeout of the program's own": {
    serves: (socket) => void socket.setTimeout(1, () => socket.end("too late")),
    says: [],
  },
};

/** What the program of each of a pair hears of its only socket; whole once that has closed. */
function listening({ serves, allowHalfOpen = false }: Program, keys?: { key: string; cert: string }): () => Server {
  return () => {
    const server = keys === undefined ? createServer({ allowHalfOpen }) : createTlsServer({ allowHalfOpen, ...keys });
    return server.on(keys === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      const heard: string[] = [];
      let isSent = false;
      socket.on("end", () => heard.push("end"));
      // Whether this is before the end of what comes depends on time.
      socket.on("finish", () => (isSent = true));
      socket.on("error", ({ code, message }: NodeJS.ErrnoException) => heard.push(code ?? message));
      socket.on("close", (failed: boolean) => server.emit("heard", { heard, isSent, failed }));
      serves(socket);
    });
  };
}

async function talk(place: Place, says: Program["says"]): Promise<string> {
  if (typeof says !== "function") return hold(place, says);
  const client = await call(place);
  await says(client);
  return client.all();
}

for (const kind of ["net", "tls"] as const) {
  for (const reach of reaches) {
    void describe(`${kind}, ${reach.name}`, () => {
      for (const [name, program] of Object.entries(programs)) {
        if (kind === "tls" && program.isPlain === true) continue;
        test(name, { timeout: 20_000 }, async (t) => {
          const keys = kind === "tls" ? await certificate() : undefined;
          const pair = await startPair(t, listening(program, keys), reach);
          const [bare, managed] = await Promise.all(
            sides.map(async (side) => {
              const heard = once(pair[side], "heard");
              return { said: await talk(placeOf(pair[side]), program.says), heard: await heard };
            }),
          );
          assert.deepEqual(managed, bare);
        });
      }
    });
  }
}
