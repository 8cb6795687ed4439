/**
 * What the tests of custodians share.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { ManualClock } from "../../src/core/manual-clock.ts";
import { makeCustodian } from "../../src/custodian/index.ts";
import type { Custodian } from "../../src/custodian/index.ts";

/** A root custodian on a clock moved by hand; `errors` gathers what it would warn of. */
export function begin(): { custodian: Custodian; clock: ManualClock; errors: Error[] } {
  const clock = new ManualClock();
  const errors: Error[] = [];
  const custodian = makeCustodian(null, { clock, onError: (error) => errors.push(error) });
  return { custodian, clock, errors };
}

/** A round of I/O and everything that follows from it at once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}

/** Whether a promise is settled once everything that is on its way has come. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => (settled = true);
  promise.then(note, note);
  await turn();
  return settled;
}

export async function listening<S extends Server>(server: S): Promise<{ server: S; port: number }> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

/** Two sockets that talk to each other over loopback. The server between them listens no more. */
export async function socketPair(): Promise<{ near: Socket; far: Socket }> {
  const { server, port } = await listening(createServer());
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const near = connect(port, "127.0.0.1");
  const [[far]] = await Promise.all([accepted, once(near, "connect")]);
  server.close();
  return { near, far };
}
