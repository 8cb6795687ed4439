/**
 * Connections that left HTTP behind: WebSockets, other upgrades, CONNECT. The socket keeps its owner.
 */
import type { IncomingMessage } from "node:http";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import type { Speaker } from "../../connection/speaker.ts";

/** Another protocol takes the connection over, as the client asked in `request`. */
export function upgraded(connection: Connection, request: IncomingMessage): void {
  connection.speaker = new UpgradedSpeaker(connection, request);
  connection.enter("upgraded", plan.upgraded);
}

class UpgradedSpeaker implements Speaker {
  readonly #connection: Connection;

  constructor(connection: Connection, _request: IncomingMessage) {
    this.#connection = connection;
  }

  drain(): void {
    this.#connection.endSoon("drained");
  }
}
