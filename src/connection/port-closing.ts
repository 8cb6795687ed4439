/**
 * Closing the ports of a connection, once it has been decided: output first, then input, so that the bytes already
 * written reach the client, for a bounded time.
 */
import { Duplex } from "node:stream";
import type { Readable, Writable } from "node:stream";
import type { TimerManager } from "../timers/timer-manager.ts";
import type { CloseManner } from "./close-reason.ts";
import { reset } from "./ports.ts";

export interface ClosingPorts {
  readonly input: Readable;
  readonly output: Writable;
  /** The raw socket below, where the ports are of a layer on top (TLS): it is what a reset is sent on. */
  readonly raw: Readable | null;
}

/**
 * Closes both ports in the given manner; the caller hears of the end by their 'close' events.
 * @param timeout the longest that it may take, in milliseconds
 */
export function closePorts(ports: ClosingPorts, manner: CloseManner, timers: TimerManager, timeout: number): void {
  const { input, output } = ports;
  silence(input);
  if (input !== (output as unknown)) input.destroy();
  if (manner === "reset" || output.destroyed || (manner === "cut" && output.writableLength > 0)) {
    force(ports);
    return;
  }
  if (!output.writableEnded) output.end();
  if (manner === "cut" || timeout === 0) {
    if (output.writableLength > 0) force(ports);
    else destroy(ports);
    return;
  }
  const timer = timers.start(timeout, () => (output.writableFinished ? destroy(ports) : force(ports)));
  output.once("close", () => timer.cancel());
  const flushed = (): void => {
    const { raw } = ports;
    if (raw instanceof Duplex && isPiped(ports) && !raw.writableFinished) raw.once("finish", () => destroy(ports));
    else lingerOn();
  };
  const lingerOn = (): void => {
    const waitForClient = manner === "linger" && input === (output as unknown) && !input.readableEnded;
    if (!waitForClient || input.destroyed) {
      destroy(ports);
      return;
    }
    // Read and thrown away: bytes left unread would make the kernel answer our FIN's close with a reset.
    input.once("end", () => destroy(ports));
    input.resume();
  };
  if (output.writableFinished) flushed();
  else output.once("finish", flushed);
}

/** Whether the layer above writes to the port below as a program would; a TLS socket takes over its handle instead. */
function isPiped({ output, raw }: ClosingPorts): boolean {
  return raw !== (output as unknown) && !("encrypted" in output);
}

/** Takes the input away from the program: from now on nobody but us reads it. */
function silence(input: Readable): void {
  input.unpipe();
  input.removeAllListeners("data");
  input.removeAllListeners("readable");
}

function force(ports: ClosingPorts): void {
  reset(ports.raw ?? (ports.output as unknown as Readable));
  destroy(ports);
}

function destroy(ports: ClosingPorts): void {
  ports.output.destroy();
  ports.input.destroy();
  ports.raw?.destroy();
}
