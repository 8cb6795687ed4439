// A program of its own, as a user starts it.
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Starts a program in a folder; it ends with the test at the latest. @returns it, and the port it listens on */
export async function startProgram(t, folder, args, variables = {}) {
  const { NODE_TEST_CONTEXT: _context, ...inherited } = process.env;
  const env = { ...inherited, ...variables };
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const program = { child, printed: "", ended: once(child, "close").then(([code, signal]) => code ?? signal) };
  t.after(() => child.kill("SIGKILL"));
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => (program.printed += text));
  }
  for (;;) {
    const port = /listening on (\d+)/.exec(program.printed)?.[1];
    if (port !== undefined) return { ...program, port: Number(port), said: () => program.printed };
    const [event] = await Promise.race([once(child.stdout, "data"), program.ended.then((how) => [{ how }])]);
    if (event.how !== undefined) throw new Error(`the program ended (${event.how}): ${program.printed}`);
  }
}
