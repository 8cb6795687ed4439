/** What a client says to a server, and what it gets of it. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, NetConnectOpts, Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";

export type Place = NetConnectOpts & { readonly isSecure: boolean };

/** The end of what a client says. */
export const fin: unique symbol = Symbol("FIN");

/** What a client says: pieces, and what it waits for in answer to the last of them. */
export type Dialogue = readonly (string | { readonly gets: RegExp } | typeof fin)[];

/** Everything that comes back, and how the connection ended. */
export async function hold(place: Place, dialogue: Dialogue): Promise<string> {
  const { socket, ended } = await call(place);
  let received = "";
  let answersFrom = 0;
  socket.setEncoding("latin1").on("data", (text: string) => (received += text));
  for (const line of dialogue) {
    if (line === fin) socket.end();
    else if (typeof line === "string") {
      answersFrom = received.length;
      socket.write(line, "latin1");
    } else await comes(socket, ended, () => line.gets.test(received.slice(answersFrom)));
  }
  const ending = await ended;
  socket.destroy();
  return `${received}<${ending}>`;
}

async function comes(socket: Socket, over: Promise<unknown>, what: () => boolean): Promise<void> {
  let ended = false;
  void over.then(() => (ended = true));
  while (!what() && !ended) await Promise.race([once(socket, "data").catch(() => {}), over]);
}

export interface Call {
  readonly socket: Socket;
  /** How the server ended it, once everything has come: "FIN", or the code of an error; over TLS also whether it said goodbye. */
  readonly ended: Promise<string>;
}

/** A connection to a server, which the server ends. */
export async function call(place: Place): Promise<Call> {
  if (place.isSecure) return callSecurely(place);
  const socket = connect({ allowHalfOpen: true, ...place } as NetConnectOpts);
  const ended = ending(socket);
  await once(socket, "connect");
  return { socket, ended };
}

/** What a TLS socket tells of its end is less than what came: whoever listens in between sees all of it. */
async function callSecurely(place: Place): Promise<Call> {
  const records = new Records();
  const relay = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  const below = new Promise<string>((resolve) => {
    relay.once("connection", (client) => {
      relay.close();
      const server = connect({ allowHalfOpen: true, ...place } as NetConnectOpts);
      server.on("data", (data) => records.push(data));
      client.on("error", () => server.resetAndDestroy()).pipe(server);
      server.pipe(client);
      void ending(server).then((how) => {
        if (how !== "FIN") client.resetAndDestroy();
        resolve(how);
      });
    });
  });
  await once(relay, "listening");
  const { port } = relay.address() as AddressInfo;
  const options = { port, host: "127.0.0.1", rejectUnauthorized: false, allowHalfOpen: true };
  const socket = connectSecurely(options);
  const above = ending(socket);
  await once(socket, "secureConnect");
  const ended = Promise.all([below, above]).then(([how]) => (records.endWithAlert ? `close_notify, ${how}` : how));
  return { socket, ended };
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
