// The clients of the overhead benchmark: one request in flight each, on a socket without a handle, with as little work of
// their own as can be. `answered` is called when a whole answer has come, `ended` when the server ends.
import { Buffer } from "node:buffer";
import { MemorySocket } from "../lib/memory-socket.js";

export const body = "hello, whoever you are\n";

const headers = {
  "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "accept-language": "en-US,en;q=0.5",
  "accept-encoding": "gzip, deflate, br, zstd",
  cookie: "session=0123456789abcdef0123456789abcdef",
};
const path = "/articles/42?full=1";
const authority = "www.example.org";

export class Http1Client {
  socket;
  #request;

  /** @param connection what each request says about its connection */
  constructor(answered, ended, connection) {
    const fields = Object.entries({ host: authority, ...headers, connection });
    this.#request = Buffer.from(
      `GET ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    );
    const received = (bytes) => {
      if (String(bytes).endsWith(body)) answered(this);
    };
    this.socket = new MemorySocket(received, () => ended(this));
  }

  ask() {
    this.socket.send(this.#request);
  }
}

const frames = { data: 0, headers: 1, settings: 4, windowUpdate: 8 };
const ack = 1;
const endStream = 1;
const endHeaders = 4;
/** The window of the connection is opened again after so many answers. */
const answersPerWindow = 1000;

/** A frame (RFC 9113, section 4.1). */
function frame(type, flags, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  return Buffer.concat([head, payload]);
}

/** A field that is neither indexed nor compressed (RFC 7541, section 6.2.2), of less than 127 bytes each. */
function field([name, value]) {
  return Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
}

const fields = { ":method": "GET", ":scheme": "http", ":path": path, ":authority": authority, ...headers };
const request = frame(
  frames.headers,
  endStream | endHeaders,
  Buffer.concat(Object.entries(fields).map((pair) => field(pair))),
);
const greeting = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(frames.settings, 0, Buffer.alloc(0)),
]);
const settingsTaken = frame(frames.settings, ack, Buffer.alloc(0));
const increment = Buffer.alloc(4);
increment.writeUInt32BE(answersPerWindow * body.length);
const window = frame(frames.windowUpdate, 0, increment);

export class Http2Client {
  socket;
  #answered;
  #answers = 0;
  #stream = -1;
  /** What of a frame has come. */
  #rest = null;

  constructor(answered, ended) {
    this.#answered = answered;
    this.socket = new MemorySocket(this.#received, () => ended(this));
  }

  /** To be called once the server has the socket. */
  greet() {
    this.socket.send(greeting);
  }

  ask() {
    const bytes = Buffer.from(request);
    bytes.writeUInt32BE((this.#stream += 2), 5);
    this.socket.send(bytes);
  }

  #received = (bytes) => {
    const all = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (at + 9 <= all.length) {
      const next = at + 9 + all.readUIntBE(at, 3);
      if (next > all.length) break;
      this.#take(all[at + 3], all[at + 4]);
      at = next;
    }
    this.#rest = at === all.length ? null : all.subarray(at);
  };

  #take(type, flags) {
    if (type === frames.settings && (flags & ack) === 0) setImmediate(() => this.socket.send(settingsTaken));
    if ((type !== frames.data && type !== frames.headers) || (flags & endStream) === 0) return;
    if (++this.#answers % answersPerWindow === 0) setImmediate(() => this.socket.send(window));
    this.#answered(this);
  }
}
