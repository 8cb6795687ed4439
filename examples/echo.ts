/**
 * An echo server: every line comes back, and `quit` ends the connection.
 * Run it with `node .build/examples/echo.js 7000`, and talk to it with `nc localhost 7000`.
 * SIGTERM or Ctrl-C lets the lines in flight finish; a second one closes now.
 */
import { serve } from "portreeve";

const server = await serve({
  host: "127.0.0.1",
  port: Number(process.argv[2] ?? 7000),
  safetyLimits: { requestReadTimeout: "30s", idleTimeout: "5m", shutdownGracePeriod: "5s" },
  readRequest: async ({ reader }) => {
    const line = await reader.line("8 KiB");
    return line === null ? null : { request: line, close: line === "quit" };
  },
  dispatch: ({ output }, line) => void output.write(`${line}\n`),
});

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => void server.stop());
console.log(`echoing on port ${server.port}`);
