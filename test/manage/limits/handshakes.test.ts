/** handshakeTimeout: a client that does not finish its handshake is closed then, on every server with TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { test } from "node:test";
import { createServer as createTls } from "node:tls";
import { manage } from "../../../src/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { certificate } from "../../support/certificate.ts";
import type { KeyPair } from "../../support/certificate.ts";
import { kernelIsMute, seenByClient } from "../../support/kernel.ts";
import { connectTo } from "../../support/tcp-client.ts";
import { settle, until } from "../../protocols/http1/web.ts";
import { resolution } from "./scene.ts";

const servers: Readonly<Record<string, (pair: KeyPair) => Server>> = { https: createHttps, tls: createTls };

/** The beginning of what a TLS client says first. */
const halfAClientHello = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]);

for (const [kind, make] of Object.entries(servers)) {
  for (const [what, first] of [
    ["nothing", Buffer.alloc(0)],
    ["half a ClientHello", halfAClientHello],
  ] as const) {
    test(`${kind}: handshakeTimeout: a client that has sent ${what} is closed without a word`, async (t) => {
      const clock = new ManualClock();
      const server = make(await certificate());
      const managed = manage(server, { clock, safetyLimits: { handshakeTimeout: "2s", requestReadTimeout: "1h" } });
      await once(server.listen(0, "127.0.0.1"), "listening");
      t.after(() => managed.close());
      const { port } = server.address() as AddressInfo;
      const client = await connectTo(t, port);
      client.write(first);
      await until(() => managed.connections.size === 1);
      const [connection] = managed.connections;
      assert.ok(connection !== undefined);
      await until(() => connection.bytesReceived === first.length);
      clock.advance(2000 - 1);
      await settle();
      assert.deepEqual([connection.phase, connection.closeReason], ["handshaking", null]);
      clock.advance(resolution);
      await settle();
      assert.deepEqual(
        [connection.closeReason, connection.closeLimit, connection.lastPhase],
        ["handshake-timeout", "handshakeTimeout", "handshaking"],
      );
      if (kernelIsMute === false) {
        const own = client.socket.localPort ?? 0;
        await until(() => seenByClient(own, port) !== "open");
        assert.equal(seenByClient(own, port), "FIN");
      }
      assert.equal(await client.all(), "");
      client.end();
      await connection.closed;
      assert.equal(managed.connections.size, 0);
    });
  }
}
