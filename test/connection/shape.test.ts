import assert from "node:assert/strict";
import { test } from "node:test";
import { looksOf } from "../support/fast-properties.ts";

test("a socket that has a connection keeps its fast properties", () => {
  const seen = looksOf(`
    import { connect } from "node:net";
    const server = await serve({
      port: 0,
      host: "127.0.0.1",
      readRequest: async (c) => { look(c.input); const line = await c.reader.line(); return line === null ? null : { request: line, close: true }; },
      dispatch: (c, line) => { look(c.input); c.output.write(line); c.closed.then(() => look(c.input)); },
    });
    const client = connect(server.port, "127.0.0.1");
    client.write("hello\\n");
    client.resume();
    await once(client, "close");
    await server.close();
  `);
  assert.deepEqual(seen, [true, true, true]);
});
