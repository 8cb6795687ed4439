// Apps of apps/ under a manager whose clock is moved by hand, and HTTP clients for them.
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import { text } from "node:stream/consumers";
import { manage } from "portreeve";
import { ManualClock } from "portreeve/testing";

let copies = 0;

/** The next server of this process that listens: grpc-js does not show the one it makes. */
function nextServer() {
  const listening = channel("tracing:net.server.listen:asyncStart");
  return new Promise((resolve) => {
    listening.subscribe(function heard({ server }) {
      listening.unsubscribe(heard);
      resolve(server);
    });
  });
}

/** A fresh copy of an app under `manage`, its limits at their defaults unless given. Closed with the test. */
export async function startManaged(t, name, options = {}) {
  copies += 1;
  const found = nextServer();
  await import(`../apps/${name}.js?copy=${copies}`);
  const server = await found;
  const clock = new ManualClock();
  const managed = manage(server, { clock, ...options });
  t.after(() => managed.close());
  if (!server.listening) await once(server, "listening");
  return { clock, managed, port: server.address().port };
}

/** One connection of a client that keeps it alive. Closed with the test. */
export function makeClient(t, port) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  return new Client(agent, port);
}

class Client {
  #agent;
  #port;

  constructor(agent, port) {
    this.#agent = agent;
    this.#port = port;
  }

  /** Closes its connection. */
  close() {
    this.#agent.destroy();
  }

  /** Begins a request; its body, if it has one, is the caller's to send. @returns node:http's own */
  open(path, { method = "GET", headers = {} } = {}) {
    return httpRequest({ agent: this.#agent, host: "127.0.0.1", port: this.#port, path, method, headers });
  }

  /** Sends a request. @returns status, headers and body of the response */
  async ask(path, { body, ...options } = {}) {
    return answerOf(this.open(path, body === undefined ? options : { method: "POST", ...options }).end(body));
  }
}

/** What a request is answered. */
export async function answerOf(request) {
  const [response] = await once(request, "response");
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** Resolves once `check` gives true, which is asked each turn of the loop; the test's own timeout is the limit. */
export async function until(check) {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Resolves once one connection is in `phase`. @returns it */
export async function untilPhase({ connections }, phase) {
  await until(() => [...connections].some((connection) => connection.phase === phase));
  return [...connections].find((connection) => connection.phase === phase);
}

/** Asserts that nobody is connected, that nothing listens, and that this process holds no socket any more. */
export async function assertNothingLeft({ connections, servers }) {
  assert.equal(connections.size, 0);
  assert.ok(servers.every(({ listening }) => !listening));
  const held = () => process.getActiveResourcesInfo().filter((name) => /TCP|Pipe.*Server/.test(name));
  await until(() => held().length === 0);
}
