import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import type { Readable, Writable } from "node:stream";
import { test } from "node:test";
import { createDeflate, createInflate, deflateSync, inflateSync, constants } from "node:zlib";
import type { CloseReason, RealPorts } from "../../src/index.ts";
import { ask, dial, echo, everything, until } from "../support/clients.ts";

/** A protocol inside zlib streams. */
function compressed(rawInput: Readable, rawOutput: Writable): RealPorts {
  const input = rawInput.pipe(createInflate());
  const output = createDeflate({ flush: constants.Z_SYNC_FLUSH });
  output.pipe(rawOutput);
  return { input, output };
}

async function askCompressed(port: number, text: string): Promise<string> {
  const client = await dial(port, { allowHalfOpen: true });
  client.end(deflateSync(text));
  const chunks = (await client.toArray()) as Buffer[];
  return inflateSync(Buffer.concat(chunks), { finishFlush: constants.Z_SYNC_FLUSH }).toString();
}

test("portsToRealPorts puts a layer on top of the ports, also later; the raw ports close too", async () => {
  for (const portsToRealPorts of [
    compressed,
    async (input: Readable, output: Writable) => {
      await new Promise((resolve) => setImmediate(resolve));
      return compressed(input, output);
    },
  ]) {
    const raw: Readable[] = [];
    const server = await echo({
      portsToRealPorts: (input, output) => {
        raw.push(input);
        return portsToRealPorts(input, output);
      },
    });
    assert.equal(await askCompressed(server.port, "one\ntwo\nquit\n"), "one\ntwo\nquit\n");
    await until(() => server.served === 0);
    assert.equal(raw[0]?.destroyed, true);
    await server.close();
  }
});

test("last words pass through the layers", async () => {
  const server = await echo({
    portsToRealPorts: compressed,
    dispatch: (connection) => {
      connection.output.write(Buffer.alloc(1_000_000, "x"));
      connection.kill();
    },
  });
  assert.equal((await askCompressed(server.port, "x\n")).length, 1_000_000);
  await server.close();
});

test("web streams are real ports, too", async () => {
  const server = await echo({
    portsToRealPorts: (rawInput, rawOutput) => {
      const upper = new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => controller.enqueue(Buffer.from(String(Buffer.from(chunk)).toUpperCase())),
      });
      const writer = upper.writable.getWriter();
      rawInput.on("data", (chunk: Buffer) => void writer.write(chunk).catch(() => {}));
      rawInput.on("end", () => void writer.close().catch(() => {}));
      return { input: upper.readable, output: rawOutput };
    },
  });
  assert.equal(await ask(server.port, "hello\n"), "HELLO\n");
  await server.close();
});

test("portsToRealPorts that fails ends its own connection, and is reported", async () => {
  const errors: string[] = [];
  const server = await echo({
    portsToRealPorts: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error("wrong secret");
    },
    onError: (error) => errors.push(error.message),
  });
  assert.equal(await ask(server.port, "x\n"), "");
  assert.deepEqual(errors, ["wrong secret"]);
  await until(() => server.served === 0);
  await server.close();
});

test("portsToRealPorts that gives no ports is told so", async () => {
  const errors: string[] = [];
  const server = await echo({
    portsToRealPorts: (() => ({ input: "nothing" })) as never,
    onError: (error) => errors.push(error.message),
  });
  await ask(server.port, "x\n");
  assert.match(errors[0] ?? "", /portsToRealPorts: input: expected an open readable stream/);
  await server.close();
});

test("portsToRealPorts that never settles ends at handshakeTimeout", async () => {
  const reasons: CloseReason[] = [];
  const server = await echo({
    safetyLimits: { handshakeTimeout: 100 },
    portsToRealPorts: () => new Promise(() => {}),
  });
  const client = await dial(server.port);
  await until(() => server.connections.size === 1);
  for (const connection of server.connections) {
    assert.equal(connection.phase, "handshaking");
    void connection.closed.then((reason) => reasons.push(reason));
  }
  await everything(client);
  await until(() => reasons.length === 1);
  assert.deepEqual(reasons, ["handshake-timeout"]);
  await server.close();
});

test("ports that come after the end are closed", async () => {
  const late = { input: new PassThrough(), output: new PassThrough() };
  let arrive!: (ports: RealPorts) => void;
  const server = await echo({
    safetyLimits: { handshakeTimeout: 50 },
    portsToRealPorts: () => new Promise((resolve) => (arrive = resolve)),
  });
  const client = await dial(server.port);
  await everything(client);
  arrive(late);
  await until(() => late.input.destroyed && late.output.destroyed);
  await until(() => server.served === 0);
  await server.close();
});

test("a client whose compressed bytes are nonsense ends alone, as a protocol error of its own", async () => {
  const errors: Error[] = [];
  const server = await echo({ portsToRealPorts: compressed, onError: (error) => errors.push(error) });
  const client = await dial(server.port);
  client.write("this is not zlib");
  await everything(client);
  await until(() => server.served === 0);
  assert.equal(await askCompressed(server.port, "still here\n"), "still here\n");
  await server.close();
});
