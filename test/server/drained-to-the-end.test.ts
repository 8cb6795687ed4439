/** A program that waits for a drain goes on after it, though nothing else keeps the process alive: a paused socket does not. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { compiledSource } from "../support/paths.ts";
import { TemporaryFolder, run } from "../support/run-script.ts";

const library = JSON.stringify(pathToFileURL(join(compiledSource, "index.js")).href);

/** Serves a client that sends more than is read of it, and drains. */
const program = (makeServer: string): string => `
  import { fork } from "node:child_process";
  import { once } from "node:events";
  import { createServer } from "node:net";
  import { setImmediate as turn } from "node:timers/promises";
  import { manage, serve } from ${library};
  ${makeServer}
  const client = fork(new URL("client.mjs", import.meta.url), [port]);
  const isFull = ({ input }) => input.readableLength >= input.readableHighWaterMark;
  while (![...server.connections].some(isFull)) await turn();
  client.unref();
  client.channel.unref();
  const { cut } = await server.drain({ grace: 300 });
  console.log("drained", cut.length);
  client.kill();`;

const client = `
  import { connect } from "node:net";
  connect(Number(process.argv[2]), "127.0.0.1").on("error", () => {}).write(Buffer.alloc(2 ** 20));
  process.on("disconnect", () => process.exit());`;

const servers: Readonly<Record<string, string>> = {
  manage: `
    const bare = createServer();
    const server = manage(bare);
    await once(bare.listen(0, "127.0.0.1"), "listening");
    const { port } = bare.address();`,
  serve: `
    const server = await serve({ host: "127.0.0.1", port: 0, readRequest: () => new Promise(() => {}), dispatch() {} });
    const { port } = server;`,
};

for (const [name, makeServer] of Object.entries(servers)) {
  test(`a program that waits for its drain goes on after it, whatever its sockets do: ${name}`, async () => {
    using folder = new TemporaryFolder({ "server.mjs": program(makeServer), "client.mjs": client });
    const { printed, code } = await run(process.execPath, [join(folder.path, "server.mjs")]);
    assert.deepEqual({ printed, code }, { printed: "drained 1\n", code: 0 });
  });
}

/** Makes a server of which a request holds something whose closer never settles, and `asked`, which settles once it does. */
const held: Readonly<Record<string, string>> = {
  manage: `
    const web = createServer((request) => custodianOf(request).defer(() => new Promise(() => {})));
    const server = owner.run(() => manage(web));
    await once(web.listen(0, "127.0.0.1"), "listening");
    const { port } = web.address();
    const asked = once(web, "request");`,
  serve: `
    let ask;
    const asked = new Promise((resolve) => (ask = resolve));
    const readRequest = async (connection) => {
      connection.custodian.defer(() => new Promise(() => {}));
      ask();
      return new Promise(() => {});
    };
    const server = await owner.run(() => serve({ host: "127.0.0.1", port: 0, readRequest, dispatch() {} }));
    const { port } = server;`,
};

for (const [name, makeServer] of Object.entries(held)) {
  test(`a program that waits for a close goes on after it, though a closer keeps no process: ${name}`, async () => {
    const closing = `
      import { once } from "node:events";
      import { createServer } from "node:http";
      import { custodianOf, makeCustodian, manage, serve } from ${library};
      const owner = makeCustodian(null, { finalizerTimeout: 300, onError() {} });
      ${makeServer}
      fetch("http://127.0.0.1:" + port).catch(() => {});
      await asked;
      await server.close();
      console.log("closed");`;
    using folder = new TemporaryFolder({ "server.mjs": closing });
    const { printed, code } = await run(process.execPath, [join(folder.path, "server.mjs")]);
    assert.deepEqual({ printed, code }, { printed: "closed\n", code: 0 });
  });
}
