import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { certificate } from "../support/certificate.ts";
import { ask, dial, echo, until } from "../support/clients.ts";

const chunk = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
  fc.string().map((text) => Buffer.from(`${text}\n`)),
  // A TLS record header, then whatever.
  fc
    .uint8Array({ maxLength: 500 })
    .map((bytes) => Buffer.concat([Buffer.from([22, 3, 1, bytes.length >> 8, bytes.length & 255]), bytes])),
);
const ending = fc.constantFrom("FIN", "RST", "nothing" as const);

for (const secure of [false, true]) {
  test(`whatever bytes clients send ${secure ? "over TLS" : "in the clear"}, nothing goes uncaught and the server serves on`, async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.on("uncaughtException", note).on("unhandledRejection", note);
    const errors: Error[] = [];
    const server = await echo({
      ...(secure && { tls: await certificate() }),
      safetyLimits: { requestReadTimeout: 100, handshakeTimeout: 100, idleTimeout: 100 },
      onError: (error) => errors.push(error),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { maxLength: 8 }), ending, async (chunks, end) => {
        const client = await dial(server.port);
        client.resume();
        for (const bytes of chunks) {
          client.write(bytes);
          if (bytes.length % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        if (end === "FIN") client.end();
        else if (end === "RST") client.resetAndDestroy();
        else setTimeout(() => client.end(), 1);
        await until(() => client.closed);
      }),
      { numRuns: 100, seed: randomBytes(4).readInt32LE() },
    );
    await until(() => server.served === 0);
    if (!secure) assert.equal(await ask(server.port, "still here\n"), "still here\n");
    await server.close();
    process.off("uncaughtException", note).off("unhandledRejection", note);
    assert.deepEqual(uncaught, []);
    // A line that is too long, or broken off, is a fault of the client's; the program hears of the first kind.
    for (const error of errors) assert.equal((error as NodeJS.ErrnoException).code, "ERR_PORTREEVE_READER_LIMIT");
  });
}
