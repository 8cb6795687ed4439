/** Clients on loopback, and servers for them. */
import { once } from "node:events";
import { connect } from "node:net";
import type { NetConnectOpts, Socket } from "node:net";
import { serve } from "../../src/index.ts";
import type { RunningServer, ServeOptions } from "../../src/index.ts";

/** A socket that is connected; its errors are its own affair. */
export async function dial(port: number, options: Partial<NetConnectOpts> = {}): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", ...options } as NetConnectOpts);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Everything a socket receives until its end, or until it fails. */
export async function everything(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed && !socket.readableEnded) {
    await new Promise<void>((resolve) => socket.once("end", resolve).once("close", () => resolve()));
  }
  return Buffer.concat(chunks).toString();
}

/** Sends `text` and FIN, and gives back what is answered. */
export async function ask(port: number, text: string): Promise<string> {
  const socket = await dial(port, { allowHalfOpen: true });
  socket.end(text);
  const answer = await everything(socket);
  socket.destroy();
  return answer;
}

/** A server of lines that echoes each; "quit" closes. */
export function echo(options: Partial<ServeOptions<string>> = {}): Promise<RunningServer> {
  return serve<string>({
    port: 0,
    host: "127.0.0.1",
    readRequest: async (connection) => {
      const line = await connection.reader.line(512);
      return line === null ? null : { request: line, close: line === "quit" };
    },
    dispatch: (connection, line) => void connection.output.write(`${line}\n`),
    ...options,
  });
}

/** Resolves once `check` is true, looking each turn of the loop; the test's own timeout is the limit. */
export async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A promise with its resolve function. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => (open = resolve));
  return { promise, open };
}
