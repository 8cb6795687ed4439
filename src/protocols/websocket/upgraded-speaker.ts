/**
 * The speaker of a connection that has left HTTP: its silence, and what a WebSocket is asked and told.
 */
import { closeReasons } from "../../connection/close-reason.ts";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import type { Speaker } from "../../connection/speaker.ts";
import { closeFrame, ping } from "./frames.ts";
import { hasWebSocket } from "./ws.ts";

/** A look that comes later than this was delayed by us, and the rest of the time counts against nobody; milliseconds. */
const longestLook = 300;

export class UpgradedSpeaker implements Speaker {
  readonly #connection: Connection;
  /** Null where nobody saw the answer, and nothing on the socket has told yet. */
  #isWebSocket: boolean | null;
  /** The bytes that have passed in either direction, and when we first saw that there were so many. */
  #passed: number;
  #passedAt: number;
  /** The bytes received, and for how many milliseconds none has come, as it was looked at. */
  #received: number;
  #mute = 0;
  #asked = false;
  #lookedAt: number;
  /** Whether the server drains, and the client has until its end to leave. */
  #drains = false;
  #told = false;

  /** @param isWebSocket whether the client was told that this is a WebSocket from now on; null where nobody saw it */
  constructor(connection: Connection, isWebSocket: boolean | null) {
    this.#connection = connection;
    this.#isWebSocket = isWebSocket;
    this.#passed = connection.bytesPassed;
    this.#received = connection.bytesReceived;
    this.#passedAt = this.#lookedAt = connection.manager.timers.clock.now();
  }

  look(): void {
    const connection = this.#connection;
    const now = connection.manager.timers.clock.now();
    const passed = connection.bytesPassed;
    if (passed !== this.#passed) {
      this.#passed = passed;
      this.#passedAt = now;
      if (connection.deadlineSpared) connection.enter("upgraded", plan.upgraded);
    }
    const elapsed = Math.min(now - this.#lookedAt, longestLook);
    this.#lookedAt = now;
    if (this.#isWebSocket === false) return;
    this.#askWhetherItLives(elapsed);
    // Too old. There is no response to wait for, and the client knows how to come again.
    if (this.#drains) this.#tell("drained");
    else if (connection.endsSoon && this.#speaksWebSocket) connection.finish();
  }

  /** While the client owes us the taking of bytes it is not the silence that counts. */
  extend(): number | undefined {
    const connection = this.#connection;
    const { timers, safetyLimits } = connection.manager;
    const { upgradedIdleTimeout } = safetyLimits;
    if (upgradedIdleTimeout === Infinity) return undefined;
    this.look();
    if (connection.unsentBytes > 0) return upgradedIdleTimeout;
    const left = this.#passedAt + upgradedIdleTimeout - timers.clock.now();
    return left > 0 ? left : undefined;
  }

  lastWords(reason: CloseReason): void {
    this.#tell(reason);
  }

  /** A WebSocket is told, and its client has until the grace period to leave; for what else there is, the program is told. */
  drain(): void {
    this.#connection.endSoon("drained");
    this.drainSoon();
    this.#tell("drained");
  }

  /** As `drain`, but the client is told at the next look: the answer to its request is being written. */
  drainSoon(): void {
    this.#drains = true;
    // After the listeners of the program, whose answer to the client's goodbye is sent.
    if (this.#isWebSocket !== false) this.#connection.input.once("end", this.#left);
  }

  letGo(): void {
    this.#connection.input.off("end", this.#left);
  }

  readonly #left = (): void => {
    if (this.#speaksWebSocket) this.#connection.finish();
  };

  /** Asked only when something hangs on it; what is none yet may be one later, when its library has accepted the client. */
  get #speaksWebSocket(): boolean {
    if (this.#isWebSocket === null && hasWebSocket(this.#connection.output)) this.#isWebSocket = true;
    return this.#isWebSocket === true;
  }

  /** Between two turns of the loop the stream is at the border of two frames: libraries write each frame in one. */
  #tell(reason: CloseReason): void {
    const code = closeReasons[reason].websocketCode;
    const { output } = this.#connection;
    if (this.#told || code === null || !output.writable || !this.#speaksWebSocket) return;
    this.#told = true;
    output.write(closeFrame(code));
  }

  /** A client that sends nothing is asked once, and has as long again to answer. */
  #askWhetherItLives(elapsed: number): void {
    const connection = this.#connection;
    const received = connection.bytesReceived;
    const { pingInterval } = connection.manager.safetyLimits;
    if (received !== this.#received) {
      this.#received = received;
      this.#mute = 0;
      this.#asked = false;
      return;
    }
    // One that does not even take what was sent is judged by that.
    if (connection.unsentBytes > 0) return;
    this.#mute += elapsed;
    if (this.#mute < pingInterval || !this.#speaksWebSocket) return;
    if (this.#asked) {
      // Until something comes, it stays as mute as it is.
      this.#mute = -Infinity;
      if (connection.mayCut("upgraded-timeout", "pingInterval", null)) {
        connection.end("upgraded-timeout", "pingInterval");
      }
      return;
    }
    this.#mute = 0;
    this.#asked = true;
    if (connection.output.writable) connection.output.write(ping);
  }
}
