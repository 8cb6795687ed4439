/** Who is refused and never hangs up: a client that holds on must not hold a descriptor of the server. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { Socket } from "node:net";
import { test } from "node:test";
import { collectEvents } from "../../../src/testing/index.ts";
import { startWeb, until } from "../../protocols/http1/web.ts";
import { resolution } from "./scene.ts";

const servers = { http: createServer, h2c: createHttp2Server as () => unknown as () => Server };

for (const [protocol, create] of Object.entries(servers)) {
  test(`${protocol}: a client that was refused and does not hang up is let go after lingerTimeout`, async (t) => {
    using events = collectEvents(["portreeve.admission.refused"]);
    const refused = (): Socket[] =>
      (events.messages("portreeve.admission.refused") as { socket: Socket }[]).map(({ socket }) => socket);
    const web = await startWeb(t, create(), { maxConcurrent: 1, maxWaiting: 0, lingerTimeout: "1s" });
    await web.connect();
    await until(() => web.server.connections.size === 1);
    for (let i = 0; i < 3; i++) await web.connect();
    await until(() => refused().length === 3);
    await web.pass(1000 - 1);
    assert.ok(
      refused().every(({ destroyed }) => !destroyed),
      "its answer may be on the way",
    );
    web.clock.advance(resolution);
    await until(() => refused().every(({ closed }) => closed));
    assert.equal(web.server.connections.size, 1, "who is served stays");
  });
}
