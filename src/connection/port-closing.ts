/**
 * Closing the ports of a connection, once it has been decided: output first, then input, so that the bytes already
 * written reach the client, for a bounded time.
 */
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { handleQueue } from "../core/node-internals.ts";
import type { Timer } from "../timers/timer.ts";
import type { TimerManager } from "../timers/timer-manager.ts";
import type { SafetyLimitName } from "../limits/safety-limits.ts";
import { closeReasons } from "./close-reason.ts";
import type { CloseManner, CloseReason } from "./close-reason.ts";
import type { Connection } from "./connection.ts";
import type { PortPair } from "./port-pair.ts";
import { reset } from "./ports.ts";

/**
 * Milliseconds after which an answer has arrived. Only a client that asks again before it has read an answer (pipelining)
 * could lose one to the reset that a request behind our end is answered with.
 */
const arrivedAfter = 250;

/**
 * Closes the ports of a connection whose end has begun.
 * @returns what ends the wait for a client that is to say FIN, for the caller to cancel once the ports have closed; null
 * where they see to it themselves
 */
export function closePortsFor(
  connection: Connection,
  { reason, limit }: { readonly reason: CloseReason; readonly limit: SafetyLimitName | null },
): Timer<PortPair> | null {
  const { manager, speaker } = connection;
  const { plainTimers, safetyLimits } = manager;
  // Too much that the client does not take: waiting for it to take it helps nobody.
  const manner = limit === "maxBufferedBytes" ? "reset" : closeReasons[reason].manner;
  const quietFor = speaker?.quietFor ?? -1;
  if (quietFor >= 0 && manner === "linger") {
    return closeQuietly(connection, quietFor, plainTimers, safetyLimits.lingerTimeout);
  }
  closePorts(connection, manner, plainTimers, safetyLimits.lingerTimeout, speaker?.endsOutput === true);
  return null;
}

/**
 * Closes both ports in the given manner; the caller hears of the end by their 'close' events.
 * @param timeout the longest that it may take, in milliseconds
 * @param ended whether the protocol ends the output by itself, once its last words are out
 */
function closePorts(ports: PortPair, manner: CloseManner, timers: TimerManager, timeout: number, ended = false): void {
  const { input, output } = ports;
  if (!input.readableEnded) silence(input);
  if (output.destroyed && !output.closed && isEncrypted(output) && manner !== "reset") {
    // The program destroys it just now, which takes the socket below along, once everybody has heard why.
    output.once("close", () => destroy(ports));
    return;
  }
  if (manner === "reset" || output.destroyed || (manner === "cut" && isUnsent(ports))) {
    force(ports);
    return;
  }
  if (isOver(ports)) {
    destroy(ports);
    return;
  }
  if (!output.writableEnded && !ended) end(output);
  if (input !== (output as unknown)) input.destroy();
  if (manner === "cut" || timeout === 0) {
    cutPorts(ports);
    return;
  }
  const timer = timers.start(timeout, () => (output.writableFinished ? destroy(ports) : force(ports)));
  output.once("close", () => timer.cancel());
  const flushed = (): void => {
    const { raw, rawOutput } = ports;
    if (raw === null || rawOutput === null || !isPiped(ports)) {
      // What is written to a stream in memory comes out of its other side, and is lost if it is destroyed before.
      if (input !== (output as unknown) && isReadInMemory(output)) output.once("end", () => destroy(ports));
      else lingerOn(input, output);
    } else if (rawOutput.writableFinished) lingerOn(raw, rawOutput);
    else rawOutput.once("finish", () => lingerOn(raw, rawOutput));
  };
  const lingerOn = (from: Readable, to: Writable): void => {
    const waitForClient = manner === "linger" && from === (to as unknown) && !from.readableEnded;
    if (!waitForClient || from.destroyed) {
      destroy(ports);
      return;
    }
    if (from !== input) silence(from);
    // Read and thrown away: bytes left unread would make the kernel answer our FIN's close with a reset.
    from.once("end", () => destroy(ports));
    from.resume();
  };
  if (output.writableFinished) flushed();
  else output.once("finish", flushed);
}

/**
 * Closes a plain socket that its protocol goes on reading: nothing of a request or an answer is open on it, so nothing
 * has to be taken from anybody, and the stream closes by itself when both sides have said FIN. Where its last answer has
 * arrived, nobody is waited for.
 * @param quietFor the milliseconds since its last answer was sent
 * @param timeout the longest that it may take, in milliseconds
 * @returns what ends the wait, for the caller to cancel once the socket has closed; null where there is none
 */
function closeQuietly(
  ports: PortPair,
  quietFor: number,
  timers: TimerManager,
  timeout: number,
): Timer<PortPair> | null {
  if (quietFor >= Math.min(arrivedAfter, timeout) && !isUnsent(ports)) {
    destroy(ports);
    return null;
  }
  end(ports.output);
  return timers.start(timeout, cutPorts, ports);
}

/**
 * Ends an output. node:http ends it once more when the client says FIN, for which Node would make an error that nobody sees,
 * at half of what the whole end costs.
 */
function end(output: Writable): void {
  output.end();
  if (output instanceof Socket && output.end === Socket.prototype.end) output.end = endAgain;
}

/** One function for all sockets. */
function endAgain(this: Socket, ...args: unknown[]): Socket {
  // A socket that is connected again has not ended.
  return args.length === 0 && this.writableEnded
    ? this
    : (Reflect.apply(Reflect.get(Socket.prototype, "end"), this, args) as Socket);
}

/** A socket whose client has ended, with nothing left to send: closing it says FIN by itself, and nothing is lost. */
function isOver(ports: PortPair): boolean {
  const { input, output, rawOutput } = ports;
  return (
    rawOutput === null && output instanceof Socket && !isEncrypted(output) && input.readableEnded && !isUnsent(ports)
  );
}

/** Closes them at once, whatever they were waiting for; reset if bytes were still waiting. */
export function cutPorts(ports: PortPair): void {
  if (isUnsent(ports)) force(ports);
  else destroy(ports);
}

/** Whether bytes still wait. Those of HTTP/2 go past the stream, straight to the handle. */
function isUnsent(ports: PortPair): boolean {
  return ports.unsentOnPorts > 0 || handleQueue(ports.rawOutput ?? ports.output) > 0;
}

/** Whether the layer above writes to the port below as a program would; a TLS socket takes over its handle instead. */
function isPiped({ output, rawOutput }: PortPair): boolean {
  return rawOutput !== output && !isEncrypted(output);
}

/** Whether an output has another side that has not been read to its end. */
function isReadInMemory(output: Writable & { readableEnded?: boolean }): boolean {
  return output.readableEnded === false && !(output instanceof Socket) && !output.destroyed;
}

/** A TLS socket has a farewell of its own to send. */
function isEncrypted(output: Writable): boolean {
  return "encrypted" in output;
}

/** Takes the input away from the program: from now on nobody but us reads it. */
function silence(input: Readable): void {
  input.unpipe();
  // Looking costs less than removing what is not there.
  for (const event of ["data", "readable"]) if (input.listenerCount(event) > 0) input.removeAllListeners(event);
}

function force(ports: PortPair): void {
  reset(ports.rawOutput ?? ports.output, ports.output);
  destroy(ports);
}

function destroy(ports: PortPair): void {
  ports.output.destroy();
  ports.input.destroy();
  ports.rawOutput?.destroy();
  ports.raw?.destroy();
}
