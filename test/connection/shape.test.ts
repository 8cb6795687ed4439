import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { compiledRoot } from "../support/paths.ts";

test("a socket that has a connection keeps its fast properties", () => {
  const script = `
    import { once } from "node:events";
    import { connect, createServer } from "node:net";
    const { serve } = await import(process.argv[1] + "/src/index.js");
    const seen = [];
    const look = (socket) => seen.push(%HasFastProperties(socket));
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
    console.log(JSON.stringify(seen));
  `;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--allow-natives-syntax", "--input-type=module", "-e", script, compiledRoot],
    { encoding: "utf8" },
  );
  assert.equal(stderr, "");
  assert.deepEqual(JSON.parse(stdout), [true, true, true]);
});
