/** Run as a process of its own: clients that know what they do, many at a time. */
import { connect } from "node:net";
import type { Socket } from "node:net";

/** What a client does. The server knows it by the port. */
export type Script =
  | "says FIN"
  | "says RST"
  | "is silent"
  | "goes quiet"
  | "drips"
  | "does not read"
  | "asks and waits";

export interface Task {
  script: Script;
  port: number;
  count: number;
  atOnce: number;
}

const line = "hello\n";

/** A socket that is not read from does not see its reset: the server says which port's connection is gone. */
const unread = new Map<number, Socket>();

function play(script: Script, socket: Socket): void {
  if (script === "is silent") return;
  if (script === "drips") {
    const dripping = setInterval(() => socket.write("."), 50);
    socket.on("close", () => clearInterval(dripping));
    return;
  }
  if (script === "does not read") socket.pause();
  socket.write(line);
  if (script === "says FIN") socket.once("data", () => socket.end());
  if (script === "says RST") socket.once("data", () => socket.resetAndDestroy());
}

function run({ script, port, count, atOnce }: Task): Promise<void> {
  return new Promise((resolve) => {
    let begun = 0;
    let ended = 0;
    const next = (): void => {
      if (ended === count) resolve();
      if (begun === count) return;
      begun++;
      const socket = connect(port, "127.0.0.1", () => play(script, socket));
      socket.on("error", () => {});
      if (script !== "does not read") socket.resume();
      else socket.once("connect", () => unread.set(socket.localPort ?? 0, socket));
      socket.on("close", () => {
        ended++;
        next();
      });
    };
    for (let i = 0; i < atOnce; i++) next();
  });
}

process.on("message", (message: Task | { gone: number }) => {
  if ("gone" in message) unread.get(message.gone)?.destroy();
  else void run(message).then(() => process.send?.(message.port));
});
process.on("disconnect", () => process.exit());
