/** Run as a process of its own: clients that know what they do, many at a time, and say what they have done. */
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { parts } from "./parts.ts";
import type { Part } from "./parts.ts";
import { dial } from "./script.ts";
import type { FromClients, ToClients } from "./script.ts";

const atOnce = 100;
/** Connections for which the server holds much memory. */
const heavyAtOnce = 6;

let ports: Record<string, number> = {};
const waitingForEnd = new Map<string, () => void>();

function tell(message: FromClients): void {
  process.send?.(message);
}

const pending: string[] = [];

async function play(index: number, part: Part): Promise<void> {
  pending.push(part.name);
  await playPart(index, part);
  pending.splice(pending.indexOf(part.name), 1);
}

async function playPart(index: number, { script, protocol, server }: Part): Promise<void> {
  const port = ports[server] ?? 0;
  let clientPort = 0;
  let failure: string | null = null;
  let closed: Promise<unknown> | undefined;
  let top: Socket | undefined;
  try {
    const [socket, tcp] = await dial(port, protocol, script.raw === true, (local) => (clientPort = local));
    top = socket;
    closed = new Promise((resolve) => tcp.once("close", resolve));
    // An error is what a script looks for, or none of its business.
    socket.on("error", () => {});
    await script.play({
      socket,
      reset: async () => {
        while (socket.writableLength > 0 || tcp.writableLength > 0) await setImmediate();
        await setImmediate();
        tcp.resetAndDestroy();
        // Now: by itself it says FIN first.
        tcp.destroy();
      },
      ports: [port, clientPort],
      gone: () => new Promise((resolve) => waitingForEnd.set(`${port} ${clientPort}`, resolve)),
    });
    socket.end();
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
    top?.destroy();
  }
  waitingForEnd.delete(`${port} ${clientPort}`);
  tell({ played: { part: index, port, clientPort, failure } });
  await closed;
}

/** Each part once, and then again in turn for so many seconds. */
async function playAll(rounds: number, seconds: number): Promise<void> {
  const queue = parts.map((part, index) => ({ part, index })).filter(({ part }) => part.script.drain === undefined);
  const end = Date.now() + seconds * 1000;
  const least = queue.length * rounds;
  let begun = 0;
  let heavy = 0;
  const work = async (): Promise<void> => {
    while (begun < least || Date.now() < end) {
      const next = queue[begun % queue.length];
      if (next === undefined) return;
      begun++;
      const isHeavy = next.part.script.heavy === true;
      // Its turn comes again in the next round.
      if (isHeavy && heavy >= heavyAtOnce && begun > least) continue;
      if (isHeavy) heavy++;
      await play(next.index, next.part);
      if (isHeavy) heavy--;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  tell("done");
}

async function playDrain(count: number): Promise<void> {
  const drained = parts.map((part, index) => ({ part, index })).filter(({ part }) => part.script.drain !== undefined);
  await Promise.all(drained.flatMap(({ part, index }) => Array.from({ length: count }, () => play(index, part))));
  tell("done");
}

process.on("message", (message: ToClients) => {
  if (message === "pending") tell({ pending });
  else if ("ports" in message) ports = message.ports;
  else if ("gone" in message) waitingForEnd.get(message.gone.join(" "))?.();
  else if ("drain" in message) void playDrain(message.drain);
  else void playAll(message.rounds, message.seconds);
});
process.on("disconnect", () => process.exit());
