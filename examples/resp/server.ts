/**
 * A small Redis: GET, SET and PING in the Redis protocol, RESP2.
 * Run it with `node .build/examples/resp/server.js 6400`, and talk to it with `redis-cli -p 6400`, or measure it with
 * `redis-benchmark -p 6400 -t ping,set,get -P 16`. SIGTERM lets commands in flight finish; a second one closes now.
 */
import { serve } from "portreeve";
import { Store, run } from "./commands.ts";
import { ProtocolError, readCommand } from "./read-command.ts";
import { error } from "./replies.ts";

const store = new Store(256 * 2 ** 20);

const server = await serve<Buffer[] | ProtocolError>({
  host: "127.0.0.1",
  port: Number(process.argv[2] ?? 6400),
  safetyLimits: { idleTimeout: "Infinity", shutdownGracePeriod: "5s" },
  readRequest: async ({ reader }) => {
    try {
      const words = await readCommand(reader);
      return words === null ? null : { request: words, close: /^quit$/i.test(String(words[0])) };
    } catch (cause) {
      // Nobody knows where the next command begins: the client is told, and that is the end.
      if (cause instanceof ProtocolError) return { request: cause, close: true };
      throw cause;
    }
  },
  dispatch: ({ output }, request) => {
    // One write for the replies to all commands that came together.
    if (output.writableCorked === 0) {
      output.cork();
      process.nextTick(() => output.uncork());
    }
    const replies =
      request instanceof ProtocolError ? [error(`ERR Protocol error: ${request.message}`)] : run(store, request);
    for (const reply of replies) output.write(reply, "latin1");
  },
});

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => void server.stop());
console.log(`speaking RESP on port ${server.port}`);
