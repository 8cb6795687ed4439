// One process of the overhead benchmark: `turns.js <work> <rounds> <contender>...` lets the contenders take turns in
// random order, and prints for each the microseconds of CPU a request, one number a round.
import process from "node:process";
import { contender } from "../lib/contenders.js";
import { MemorySocket } from "../lib/memory-socket.js";
import { indexes, randomNumbers, shuffle } from "../lib/random.js";

const [work, rounds, ...names] = process.argv.slice(2);
const keepsAlive = work === "keep-alive";
const requestsPerTurn = keepsAlive ? 2000 : 800;
const warmUps = 8;
/** So many clients at once: a turn of the event loop serves each once. */
const clients = 20;

const request = Buffer.from(
  [
    "GET /articles/42?full=1 HTTP/1.1",
    "Host: www.example.org",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Cookie: session=0123456789abcdef0123456789abcdef",
    work === "closed by the server" ? "Connection: close" : "Connection: keep-alive",
    "",
    "",
  ].join("\r\n"),
);
const body = "hello, whoever you are\n";

function handle(_, response) {
  response.setHeader("Content-Type", "text/plain");
  response.end(body);
}

/** A server, and the clients that ask it. */
class Scene {
  #server;
  #sockets = [];
  #left = 0;
  #open = 0;
  #done;

  constructor(server) {
    this.#server = server;
    // Where each request has a connection of its own these stay all the time, unused: without any, a collection would
    // forget the code that was compiled for connections.
    for (let i = 0; i < clients; i++) this.#sockets.push(this.#connect());
  }

  /** Serves so many requests. */
  serve(count) {
    this.#left = count;
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#open = clients;
      for (let i = 0; i < clients; i++) setImmediate(this.#next, keepsAlive ? this.#sockets[i] : undefined);
    });
  }

  #connect() {
    const socket = new MemorySocket(this.#received, this.#ended);
    if (!keepsAlive) socket.on("close", this.#closed);
    this.#server.emit("connection", socket);
    return socket;
  }

  #next = (socket) => {
    if (this.#left-- <= 0) {
      if (--this.#open === 0) this.#done();
      return;
    }
    (socket ?? this.#connect()).send(request);
  };

  #received = (socket, text) => {
    if (!text.endsWith(body)) return;
    if (keepsAlive) setImmediate(this.#next, socket);
    else if (work === "closed by the client") setImmediate(leave, socket);
  };

  #ended = (socket) => {
    if (work === "closed by the server") setImmediate(leave, socket);
  };

  #closed = () => {
    setImmediate(this.#next);
  };
}

function leave(socket) {
  if (!socket.readableEnded && !socket.destroyed) socket.leave();
}

const scenes = [];
for (const name of names) scenes.push(new Scene((await contender(name, handle)).server));

const figures = names.map(() => []);
const order = indexes(names.length);
const random = randomNumbers(process.pid);
for (let round = -warmUps; round < Number(rounds); round++) {
  shuffle(order, random);
  for (const turn of order) {
    const before = process.cpuUsage();
    await scenes[turn].serve(requestsPerTurn);
    const { user, system } = process.cpuUsage(before);
    if (round >= 0) figures[turn].push((user + system) / requestsPerTurn);
  }
}
console.log(JSON.stringify(Object.fromEntries(names.map((name, i) => [name, figures[i]]))));
process.exit();
