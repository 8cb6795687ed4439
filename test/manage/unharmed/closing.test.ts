/**
 * Closing unharmed: `server.close()` of the program, and what else it may ask of its server, do under a manager whose limits
 * nothing reaches what they do without.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Server as HttpServer, ServerResponse } from "node:http";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { describe, test } from "node:test";
import { manage } from "../../../src/index.ts";
import { settle, until } from "../../support/rounds.ts";
import { call } from "./client.ts";
import type { Client } from "./client.ts";
import { last } from "./dialogues.ts";
import { kinds, makerOf, manyWays, placeOf, reaches, sides, startPair } from "./servers.ts";
import type { Pair } from "./servers.ts";

const stay = "GET /stay HTTP/1.1\r\nHost: x\r\n\r\n";
const held = "GET /held HTTP/1.1\r\nHost: x\r\n\r\n";

/** One of a pair, and what becomes of it. */
class Scene<S extends Server = HttpServer> {
  readonly server: S;
  /** What the program hears of the server, in order. */
  readonly told: string[] = [];
  /** What each client got; when, is not the server's to say. */
  readonly said: Record<string, string> = {};
  /** Answers that are held back. */
  readonly #held: ServerResponse[] = [];

  constructor(server: S) {
    this.server = server;
    server.on("close", () => this.tell("'close'"));
    server.on("held", (response: ServerResponse) => this.#held.push(response));
  }

  tell(what: string): void {
    this.told.push(what);
  }

  close(): void {
    this.server.close((error) => this.tell(`closed: ${codeOf(error)}`));
    this.tell(`listening: ${this.server.listening}, address: ${this.server.address() === null ? "none" : "one"}`);
  }

  /** One whose connection has arrived. */
  async silent(): Promise<Client> {
    const isSecure = "setSecureContext" in this.server;
    const [client] = await Promise.all([
      call(placeOf(this.server)),
      once(this.server, isSecure ? "secureConnection" : "connection"),
    ]);
    return client;
  }

  async idle(): Promise<Client> {
    const client = await this.silent();
    client.say(stay);
    await client.gets(/stay 1\.1$/);
    await settle();
    return client;
  }

  async busy(text = held): Promise<Client> {
    const client = await this.silent();
    const before = this.#held.length;
    client.say(text);
    await until(() => this.#held.length > before);
    return client;
  }

  release(): void {
    for (const response of this.#held.splice(0)) response.end("released");
  }

  async count(): Promise<void> {
    await settle();
    const count = await new Promise((resolve) => this.server.getConnections((_, connections) => resolve(connections)));
    this.tell(`connections: ${String(count)}`);
  }

  /** It says FIN when it has got that, if the server has not said so by then. */
  async leave(name: string, client: Client, gets: RegExp): Promise<void> {
    await client.gets(gets);
    await this.count();
    client.socket.end();
    await this.hear(name, client);
  }

  async hear(name: string, client: Client): Promise<void> {
    const said = (await client.all()).replaceAll(/^Date: .*\r$/gm, "Date: x\r");
    this.said[name] = said.replaceAll(/^Keep-Alive: timeout=\d+/gm, "Keep-Alive: timeout=x");
  }

  /** Waits until that many 'close' events have come, and looks on for a while. */
  async over(times = 1): Promise<void> {
    await until(() => this.told.filter((what) => what === "'close'").length >= times);
    await settle();
  }
}

function codeOf(error: NodeJS.ErrnoException | undefined): string {
  return error === undefined ? "well" : String(error.code);
}

const stories: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  async "close() with an idle client"(scene) {
    const client = await scene.idle();
    scene.close();
    await scene.hear("idle", client);
    await scene.over();
  },
  async "close() with a request in flight"(scene) {
    const client = await scene.busy();
    scene.close();
    await scene.count();
    scene.release();
    await scene.leave("busy", client, /released$/);
    await scene.over();
  },
  async "close() with a request in flight, and one behind it"(scene) {
    const client = await scene.busy(held + stay);
    scene.close();
    scene.release();
    await scene.leave("busy", client, /stay 1\.1$/);
    await scene.over();
  },
  async "close() with a client that has said nothing yet"(scene) {
    const client = await scene.silent();
    scene.close();
    await scene.count();
    client.say(last);
    await scene.hear("silent", client);
    await scene.over();
  },
  async "close() with half a request"(scene) {
    const client = await scene.idle();
    client.say(stay.slice(0, 10));
    await settle();
    scene.close();
    await settle();
    client.say(stay.slice(10));
    await scene.leave("half", client, /stay 1\.1$/);
    await scene.over();
  },
  async "close() with a client that leaves"(scene) {
    const client = await scene.silent();
    scene.close();
    client.socket.end();
    await scene.hear("silent", client);
    await scene.over();
  },
  async "close() within a request"(scene) {
    const client = await scene.silent();
    scene.server.prependOnceListener("request", () => scene.close());
    client.say(stay);
    await scene.leave("busy", client, /stay 1\.1$/);
    await scene.over();
  },
  async "close() twice"(scene) {
    scene.close();
    scene.close();
    await scene.over();
  },
  async "close() without a callback, which tells by its event alone"(scene) {
    assert.equal(scene.server.close(), scene.server);
    await scene.over();
  },
  async "close(), and listening again"(scene) {
    scene.close();
    await scene.over();
    scene.server.listen(0, "127.0.0.1");
    await once(scene.server, "listening");
    const client = await scene.silent();
    client.say(last);
    await scene.hear("client", client);
    scene.close();
    await scene.over(2);
  },
  async "closeIdleConnections()"(scene) {
    const [idle, busy, silent] = [await scene.idle(), await scene.busy(), await scene.silent()];
    await scene.count();
    scene.server.closeIdleConnections();
    await scene.hear("idle", idle);
    await scene.count();
    scene.release();
    await busy.gets(/released$/);
    busy.say(last);
    await scene.hear("busy", busy);
    silent.say(last);
    await scene.hear("silent", silent);
    await scene.count();
  },
  async "closeAllConnections()"(scene) {
    const clients = { idle: await scene.idle(), busy: await scene.busy(), silent: await scene.silent() };
    scene.server.closeAllConnections();
    for (const [name, client] of Object.entries(clients)) await scene.hear(name, client);
    await scene.count();
    const another = await scene.silent();
    another.say(last);
    await scene.hear("another", another);
  },
  async "close() and closeAllConnections()"(scene) {
    const clients = { idle: await scene.idle(), busy: await scene.busy(), silent: await scene.silent() };
    scene.close();
    scene.server.closeAllConnections();
    for (const [name, client] of Object.entries(clients)) await scene.hear(name, client);
    await scene.over();
  },
  async "maxConnections, and a client too many"(scene) {
    scene.server.maxConnections = 1;
    scene.server.on("drop", () => scene.tell("'drop'"));
    const first = await scene.silent();
    await scene.hear("second", await call({ ...placeOf(scene.server), isSecure: false }));
    first.say(last);
    await scene.hear("first", first);
  },
  async "unref() and ref()"(scene) {
    assert.equal(scene.server.unref().ref(), scene.server);
    scene.close();
    await scene.over();
  },
};

/** Of servers that echo. */
const rawStories: Readonly<Record<string, (scene: Scene<Server>) => Promise<void>>> = {
  async "close() with a client that goes on"(scene) {
    const client = await scene.silent();
    scene.close();
    await scene.count();
    client.say("one");
    await client.gets(/one$/);
    client.socket.end();
    await scene.hear("client", client);
    await scene.over();
  },
  async "close() with no client, twice"(scene) {
    scene.close();
    scene.close();
    await scene.over();
  },
};

/** Tells a story of each of a pair. */
async function compare<S extends Server>(pair: Pair<S>, story: (scene: Scene<S>) => Promise<void>): Promise<void> {
  const [bare, managed] = await Promise.all(
    sides.map(async (side) => {
      const scene = new Scene(pair[side]);
      await story(scene);
      return { told: scene.told, said: scene.said };
    }),
  );
  assert.deepEqual(managed, bare);
}

for (const reach of reaches) {
  for (const kind of kinds) {
    void describe(`${kind}, ${reach.name}`, () => {
      for (const [name, story] of Object.entries(stories)) {
        test(name, { timeout: 20_000 }, async (t) => {
          const make = await makerOf(kind, {
            listener: () => {},
            prepare: (server) =>
              void server.on("request", (request, response) => {
                if (request.url === "/held") server.emit("held", response);
                else manyWays(request, response);
              }),
          });
          await compare(await startPair(t, make, reach), story);
        });
      }
    });
  }

  void describe(`net, ${reach.name}`, () => {
    for (const [name, story] of Object.entries(rawStories)) {
      test(name, { timeout: 20_000 }, async (t) => {
        const make = (): Server => createServer((socket) => socket.pipe(socket));
        await compare(await startPair(t, make, reach), story);
      });
    }
  });
}

test("close() before listening: its error", async () => {
  for (const make of [await makerOf("http"), await makerOf("https"), (): Server => createServer()]) {
    const pair: Pair = { bare: make(), managed: make() };
    const manager = manage(pair.managed);
    await compare(pair, async (scene) => {
      scene.close();
      await settle();
    });
    await manager.close();
  }
});
