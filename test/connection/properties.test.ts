import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { collectEvents } from "../../src/testing/index.ts";
import { connect, settle } from "../support/connections.ts";

const event = fc.oneof(
  fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 0, max: 3000 }) }),
  fc.record({ do: fc.constant("stall" as const), ms: fc.integer({ min: 0, max: 3000 }) }),
  fc.record({ do: fc.constant("adjust" as const), ms: fc.integer({ min: -3000, max: 3000 }) }),
  fc.record({ do: fc.constant("reset" as const), ms: fc.integer({ min: 0, max: 3000 }) }),
  fc.record({
    do: fc.constantFrom(
      "kill",
      "custodian",
      "client ends",
      "client resets",
      "server ends",
      "server destroys",
      "port fails",
      "client writes",
      "server writes",
      "read",
      "client reads",
      "settle",
      "end soon",
    ),
    ms: fc.constant(0),
  }),
);

test("over random histories a connection ends once, closes both ports, and its permit comes back once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (history) => {
      const events = collectEvents(["portreeve.connection.closed"]);
      const scene = connect({ requestReadTimeout: "2s", responseSendTimeout: "3s" });
      const { connection, clock, custodian, server, client } = scene;
      let shutDown = 0;
      let givenBack = 0;
      custodian.defer(() => shutDown++);
      connection.host = {
        connectionClosed(closed) {
          assert.equal(closed, connection);
          closed.givePermitBack();
          closed.givePermitBack();
        },
        takeBack: () => void givenBack++,
      };
      let first: string | null = null;
      for (const { do: what, ms } of history) {
        const open = connection.closeReason === null;
        if (what === "advance") clock.advance(ms);
        else if (what === "stall") clock.stall(ms);
        else if (what === "adjust") assert.equal(connection.adjustTimeout(ms), open);
        else if (what === "reset") assert.equal(connection.resetTimeout(ms), open);
        else if (what === "kill") connection.kill();
        else if (what === "custodian") void custodian.shutdownAll();
        else if (what === "client ends") client.end();
        else if (what === "client resets") client.destroy();
        else if (what === "server ends") server.end();
        else if (what === "server destroys") server.destroy();
        else if (what === "port fails") server.destroy(new Error("broken"));
        else if (what === "client writes") client.write(Buffer.alloc(20_000, "x"));
        else if (what === "server writes") server.write(Buffer.alloc(20_000));
        else if (what === "read") connection.reader.bytes(1000).catch(() => {});
        else if (what === "client reads") client.read();
        else if (what === "end soon") connection.endSoon("drained");
        else await settle();
        first ??= connection.closeReason;
        assert.equal(connection.closeReason, first, "the first cause stays");
      }
      connection.kill();
      first ??= "killed";
      clock.advance("2s");
      await settle();
      clock.advance("2s");
      assert.equal(await connection.closed, first);
      events[Symbol.dispose]();
      assert.equal(connection.phase, "closed");
      assert.equal(server.closed, true);
      assert.equal(connection.timer.active, false);
      assert.equal(shutDown, 1);
      assert.equal(givenBack, 1);
      assert.equal(events.events.length, 1);
      assert.equal(scene.manager.connections.size, 0);
      assert.equal(scene.manager.timers.size, 0);
      assert.equal(connection.adjustTimeout(1000) || connection.resetTimeout(1000), false);
      client.destroy();
    }),
    { numRuns: 200 },
  );
});
