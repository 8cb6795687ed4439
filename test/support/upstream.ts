/** A server further up, which handlers ask. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { performance } from "node:perf_hooks";
import type { TestContext } from "node:test";
import { gate } from "./clients.ts";

export interface Upstream {
  readonly url: string;
  readonly asked: Promise<void>;
  /** When its client left, by the clock of `performance`. */
  readonly left: Promise<number>;
}

/** An upstream that never answers, and says when its client has left. */
export async function deafUpstream(t: TestContext): Promise<Upstream> {
  const asked = gate();
  const left = gate<number>();
  const server = createServer((request) => {
    request.socket.on("close", () => left.open(performance.now()));
    asked.open();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, asked: asked.promise, left: left.promise };
}
