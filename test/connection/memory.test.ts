import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCustodian, newConnection } from "../../src/index.ts";
import { makePortPair } from "../../src/testing/index.ts";
import { connect, settle } from "../support/connections.ts";
import { skip, survivors } from "../support/survivors.ts";

test("a client that takes nothing and then leaves is forgotten, while others stay connected", { skip }, async () => {
  const scene = connect({ requestReadTimeout: Infinity, responseSendTimeout: "1m", maxBufferedBytes: 1_000_000 });
  const { clock, manager } = scene;
  const refs: WeakRef<object>[] = [];
  await (async function visit() {
    for (let i = 0; i < 20; i++) {
      const { server, client } = makePortPair();
      client.on("error", () => {});
      const connection = newConnection(manager, server, server, makeCustodian(null, { clock }), false);
      refs.push(new WeakRef(connection));
      server.write(Buffer.alloc(200_000));
      await settle();
      clock.advance(1000);
      assert.equal(connection.closeReason, null);
      connection.kill();
      client.destroy();
      server.destroy();
      assert.equal(await connection.closed, "killed");
    }
  })();
  clock.advance(60_000);
  await settle();
  assert.equal(await survivors(refs), 0);
  assert.equal(manager.connections.size, 1);
  scene.connection.kill();
});
