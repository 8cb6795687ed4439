/** What a client says to a server, and what it gets of it. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, NetConnectOpts, Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";

export type Place = NetConnectOpts & { readonly isSecure: boolean; /** Spoken over TLS. */ readonly protocol?: string };

/** The end of what a client says. */
export const fin: unique symbol = Symbol("FIN");

/** What a client says: pieces, and what it waits for in answer to the last of them. */
export type Dialogue = readonly (string | { readonly gets: RegExp } | typeof fin)[];

/** Everything that comes back, and how the connection ended. */
export async function hold(place: Place, dialogue: Dialogue): Promise<string> {
  const client = await call(place);
  for (const line of dialogue) {
    if (line === fin) client.socket.end();
    else if (typeof line === "string") client.say(line);
    else await client.gets(line.gets);
  }
  return client.all();
}

/** One end of a connection that the other end is to close. */
export class Client {
  readonly socket: Socket;
  /** How the server ended it, once everything has come: "FIN", or the code of an error; over TLS also whether it said goodbye. */
  readonly ended: Promise<string>;
  received = "";
  #answersFrom = 0;
  #isOver = false;

  constructor(socket: Socket, ended: Promise<string>) {
    this.socket = socket;
    this.ended = ended.finally(() => (this.#isOver = true));
    socket.setEncoding("latin1").on("data", (text: string) => (this.received += text));
  }

  say(text: string): void {
    this.#answersFrom = this.received.length;
    this.socket.write(text, "latin1");
  }

  /** Waits for that in answer to what was said last, or for the end. */
  async gets(what: RegExp): Promise<void> {
    while (!this.#isOver && !what.test(this.received.slice(this.#answersFrom))) {
      await Promise.race([once(this.socket, "data").catch(() => {}), this.ended]);
    }
  }

  /** Everything that has come, and how it ended. */
  async all(): Promise<string> {
    const ending = await this.ended;
    this.socket.destroy();
    return `${this.received}<${ending}>`;
  }
}

export async function call(place: Place): Promise<Client> {
  if (place.isSecure) return callSecurely(place);
  const socket = connect({ allowHalfOpen: true, ...place } as NetConnectOpts);
  const ended = ending(socket);
  await once(socket, "connect");
  return new Client(socket, ended);
}

/** What a TLS socket tells of its end is less than what came: whoever listens in between sees all of it. */
async function callSecurely(place: Place): Promise<Client> {
  const records = new Records();
  const relay = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  const below = once(relay, "connection").then(([client]: Socket[]) => {
    relay.close();
    return client === undefined ? "" : pass(client, place, records);
  });
  await once(relay, "listening");
  const { port } = relay.address() as AddressInfo;
  const ALPNProtocols = place.protocol === undefined ? [] : [place.protocol];
  const options = { port, host: "127.0.0.1", rejectUnauthorized: false, allowHalfOpen: true, ALPNProtocols };
  const socket = connectSecurely(options);
  const above = ending(socket);
  await once(socket, "secureConnect");
  const ended = Promise.all([below, above]).then(([how]) => (records.endWithAlert ? `close_notify, ${how}` : how));
  return new Client(socket, ended);
}

/** Passes on what a client and a server say to each other. @returns how the server ended it */
async function pass(client: Socket, place: Place, records: Records): Promise<string> {
  const server = connect({ allowHalfOpen: true, ...place } as NetConnectOpts);
  server.on("data", (data) => records.push(data));
  client.on("error", () => server.resetAndDestroy()).pipe(server);
  server.pipe(client);
  const how = await ending(server);
  if (how !== "FIN") client.resetAndDestroy();
  return how;
}

function ending(socket: Socket): Promise<string> {
  let how = "";
  return new Promise((resolve) => {
    socket.on("error", ({ code }: NodeJS.ErrnoException) => (how ||= String(code)));
    socket.on("end", () => resolve((how ||= "FIN")));
    socket.on("close", () => resolve(how));
  });
}

/** The records of TLS in what a server says (RFC 8446, section 5.1). */
class Records {
  #rest: Buffer = Buffer.alloc(0);
  #last = 0;

  push(data: Buffer): void {
    let rest = Buffer.concat([this.#rest, data]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt16BE(3)) {
      this.#last = rest.readUInt16BE(3);
      rest = rest.subarray(5 + this.#last);
    }
    this.#rest = rest;
  }

  /** Its two bytes, their type and a tag, which in TLS 1.3 tell it from what a program would send. */
  get endWithAlert(): boolean {
    return this.#last === 19 && this.#rest.length === 0;
  }
}
