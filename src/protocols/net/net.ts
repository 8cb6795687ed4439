/**
 * A TCP protocol of the program's own, on a server that exists already: what its bytes mean is not known, so there are
 * three deadlines only: for the first byte, for silence, and for bytes that the client does not take.
 */
import type { Socket } from "node:net";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import type { Speaker } from "../../connection/speaker.ts";
import type { SafetyLimitName } from "../../limits/safety-limits.ts";
import type { Pass, Protocol } from "../protocol.ts";

/** Beyond what every listener enforces. */
export const enforcedByNet: readonly SafetyLimitName[] = ["idleTimeout"];

/** Leaves the talking to the server's own listeners. */
export function net(): Protocol {
  return {
    name: "a TCP server",
    enforces: enforcedByNet,
    looks: true,
    speak(connection: Connection, socket: Socket, pass: Pass) {
      connection.speaker = new NetSpeaker(connection);
      pass(socket);
      return undefined;
    },
    adoption: () => (connection) => {
      connection.speaker = new NetSpeaker(connection);
      if (connection.bytesPassed > 0) connection.enter("handling", plan.idle);
      else connection.enter("idle", plan.request);
      return true;
    },
    // At once, so that the descriptor is free before the next client is accepted.
    refuse: (socket) => socket.destroy(),
  };
}

class NetSpeaker implements Speaker {
  readonly #connection: Connection;
  /** The bytes that have passed in either direction, and when we first saw that there were so many. */
  #passed: number;
  #passedAt: number;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#passed = connection.bytesPassed;
    this.#passedAt = connection.since;
  }

  look(): void {
    const connection = this.#connection;
    const passed = connection.bytesPassed;
    if (passed === this.#passed) return;
    this.#passed = passed;
    this.#passedAt = connection.manager.timers.clock.now();
    if (connection.phase === "idle" || connection.deadlineSpared) connection.enter("handling", plan.idle);
  }

  /** While the client owes us the taking of bytes it is not the silence that counts. */
  extend(): number | undefined {
    this.look();
    const connection = this.#connection;
    if (connection.phase === "idle") return undefined;
    const { timers, safetyLimits } = connection.manager;
    if (connection.unsentBytes > 0) return safetyLimits.idleTimeout;
    const left = this.#passedAt + safetyLimits.idleTimeout - timers.clock.now();
    return left > 0 ? left : undefined;
  }

  /** Where nothing has passed yet nobody is in the middle of anything; for the others, the program is told. */
  drain(): void {
    this.look();
    this.#connection.endSoon("drained");
  }
}
