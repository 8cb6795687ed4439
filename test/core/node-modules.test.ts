/** What a program does not use is not loaded for it. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { kindOf } from "../../src/server/server-kinds.ts";
import { compiledSource } from "../support/paths.ts";
import { TemporaryFolder, run } from "../support/run-script.ts";

/** In CommonJS: since Node 22 an import of node:http loads all of them, whoever does it. */
function program(serveOne: string): string {
  return `
    const { connect } = require("node:net");
    const { once } = require("node:events");
    /** A client, until its connection has ended. */
    const ask = (port, request) => once(connect(port, "127.0.0.1").on("connect", function () { this.write(request); }).resume(), "close");
    import(${JSON.stringify(pathToFileURL(join(compiledSource, "index.js")).href)}).then(async ({ manage, serve }) => {
      ${serveOne}
      const loaded = process.moduleLoadList.map((one) => one.replace("NativeModule ", ""));
      const larger = ["tls", "https", "http2", "crypto", "internal/deps/undici/undici"];
      console.log(JSON.stringify(larger.filter((name) => loaded.includes(name))));
    });`;
}

const programs: Readonly<Record<string, string>> = {
  "node:http under a manager": `
    const { createServer } = require("node:http");
    const server = createServer((request, response) => response.end("hello"));
    const managed = manage(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    await ask(server.address().port, "GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n");
    await managed.drain();`,
  "node:net under a manager": `
    const { createServer } = require("node:net");
    const server = createServer((socket) => socket.resume().end("hello"));
    const managed = manage(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    await ask(server.address().port, "hello");
    await managed.drain();`,
  serve: `
    const server = await serve({
      host: "127.0.0.1",
      port: 0,
      readRequest: async ({ reader }) => ({ request: await reader.line(), close: true }),
      dispatch: ({ output }, line) => void output.write(line),
    });
    await ask(server.port, "hello\\n");
    await server.close();`,
};

for (const [name, serveOne] of Object.entries(programs)) {
  test(`a program that speaks neither TLS nor HTTP/2 loads neither: ${name}`, async () => {
    using folder = new TemporaryFolder({ "program.cjs": program(serveOne) });
    const { code, stdout, printed } = await run(process.execPath, [join(folder.path, "program.cjs")]);
    assert.equal(code, 0, printed);
    assert.equal(printed, stdout, "it says nothing else");
    assert.deepEqual(JSON.parse(stdout), []);
  });
}

const patches: Readonly<Record<string, string>> = {
  "makes servers that it manages": `
    const { createServer } = http;
    http.createServer = (...given) => {
      const server = createServer(...given);
      manage(server);
      return server;
    };
    const server = http.createServer((request, response) => response.end("hello"));`,
  "makes servers of a class of its own": `
    const server = http.createServer((request, response) => response.end("hello"));
    http.Server = class extends http.Server {};
    manage(server, { safetyLimits: { maxRequestLineLength: 1000 } });`,
};
for (const [name, patch] of Object.entries(patches)) {
  test(`a program that has changed what node:http exports is served as ever: it ${name}`, async () => {
    const served = `
      const http = require("node:http");
      ${patch}
      await once(server.listen(0, "127.0.0.1"), "listening");
      await ask(server.address().port, "GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n");
      server.close();`;
    using folder = new TemporaryFolder({ "program.cjs": program(served) });
    const { code, stdout, printed } = await run(process.execPath, [join(folder.path, "program.cjs")]);
    assert.deepEqual({ code, printed }, { code: 0, printed: stdout });
  });
}

test("a server with methods that are named like those of another kind stays what it is", () => {
  const named = { updateSettings() {}, setSecureContext() {}, headersTimeout: 0 };
  assert.equal(kindOf(Object.assign(createServer(), named)), "net");
});
