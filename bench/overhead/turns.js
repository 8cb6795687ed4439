// One process of the overhead benchmark: `turns.js <work> <rounds> <contender>...` lets the contenders take turns in
// random order, and prints for each the microseconds of CPU a request, one number a round.
import { createServer as createHttp2Server } from "node:http2";
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { contender } from "../lib/contenders.js";
import { indexes, randomNumbers, shuffle } from "../lib/random.js";
import { Http1Client, Http2Client, body } from "./clients.js";

const [work, rounds, ...names] = process.argv.slice(2);
const isHttp2 = work === "streams";
const keepsAlive = isHttp2 || work === "keep-alive";
const serverCloses = work === "closed by the server";
const requestsPerTurn = keepsAlive ? 2000 : 800;
/** V8 goes on compiling for tens of thousands of requests, and servers live for days. */
const warmUps = 80_000 / requestsPerTurn;
/** So many clients at once: a turn of the event loop serves each once. */
const clients = 20;

function handle(_, response) {
  response.setHeader("Content-Type", "text/plain");
  response.end(body);
}

/** A server, and the clients that ask it. */
class Scene {
  #server;
  #clients = [];
  #left = 0;
  #open = 0;
  #done;

  constructor(server) {
    this.#server = server;
    // Where each request has a connection of its own these stay all the time, unused: without any, a collection would
    // forget the code that was compiled for connections.
    for (let i = 0; i < clients; i++) this.#clients.push(this.#connect());
  }

  /** Serves so many requests. */
  serve(count) {
    this.#left = count;
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#open = clients;
      for (let i = 0; i < clients; i++) setImmediate(this.#next, keepsAlive ? this.#clients[i] : undefined);
    });
  }

  #connect() {
    const client = isHttp2
      ? new Http2Client(this.#answered, this.#ended)
      : new Http1Client(this.#answered, this.#ended, serverCloses ? "close" : "keep-alive");
    if (!keepsAlive) client.socket.on("close", this.#closed);
    this.#server.emit("connection", client.socket);
    client.greet?.();
    return client;
  }

  #next = (client) => {
    if (this.#left-- <= 0) {
      if (--this.#open === 0) this.#done();
      return;
    }
    (client ?? this.#connect()).ask();
  };

  #answered = (client) => {
    if (keepsAlive) setImmediate(this.#next, client);
    else if (!serverCloses) setImmediate(leave, client);
  };

  #ended = (client) => {
    if (serverCloses) setImmediate(leave, client);
  };

  #closed = () => {
    setImmediate(this.#next);
  };
}

function leave({ socket }) {
  if (!socket.readableEnded && !socket.destroyed) socket.leave();
}

const scenes = [];
for (const name of names)
  scenes.push(
    new Scene((await contender(name, handle, { makeServer: isHttp2 ? createHttp2Server : undefined })).server),
  );

// Node has no flag of ours, and yet a way to collect: the flag holds for what is made while it is set.
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
setFlagsFromString("--no-expose-gc");

// V8 settles how large objects of a kind are by the first few that it makes, and looks for their shapes in the order in which they
// came. Where a bare server is first, what a guard puts on sockets and streams lies outside of them, in arrays that grow; where the
// guard is, it is the bare server that is looked for second. So one process in two begins with each.
await scenes.at(process.env.FIRST === "last" ? -1 : 0).serve(requestsPerTurn);

const figures = names.map(() => []);
const order = indexes(names.length);
const random = randomNumbers(process.pid);
for (let round = -warmUps; round < Number(rounds); round++) {
  shuffle(order, random);
  for (const turn of order) {
    const before = process.cpuUsage();
    await scenes[turn].serve(requestsPerTurn);
    // Each pays for its own garbage: what is left of a turn would be collected in somebody else's.
    collect({ type: "minor" });
    const { user, system } = process.cpuUsage(before);
    if (round >= 0) figures[turn].push((user + system) / requestsPerTurn);
  }
}
console.log(JSON.stringify(Object.fromEntries(names.map((name, i) => [name, figures[i]]))));
process.exit();
