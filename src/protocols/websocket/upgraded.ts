/**
 * Connections that leave HTTP/1 behind: WebSockets, other upgrades, CONNECT. The socket keeps its owner; the README
 * beside this file has the flow in steps.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import { ManagedRequest, markRequest } from "../../connection/managed-request.ts";
import type { RequestHost } from "../../connection/managed-request.ts";
import type { Speaker } from "../../connection/speaker.ts";
import type { SafetyLimitName } from "../../limits/safety-limits.ts";
import type { Custodian } from "../../custodian/custodian.ts";
import { asksForWebSocket, statusOf } from "./frames.ts";
import { UpgradedSpeaker } from "./upgraded-speaker.ts";

export const enforcedOnUpgraded: readonly SafetyLimitName[] = ["upgradedIdleTimeout", "pingInterval"];

/**
 * The client asks in `request` to leave HTTP, and the program is about to be told. The request is `handling` until the
 * first bytes of an answer say what becomes of it.
 * @param answer what a client is told whose request is cut short, or null
 */
export function upgrade(
  connection: Connection,
  request: IncomingMessage,
  answer: (reason: CloseReason) => string | null,
): void {
  const speaker = new PendingUpgrade(connection, request, answer);
  connection.speaker = speaker;
  markRequest(request, new ManagedRequest(speaker));
  connection.enter("handling", plan.response);
}

/** Takes over a connection that has left HTTP, or leaves it, unseen by us: for what, only the socket can tell. */
export function adoptUpgraded(connection: Connection): void {
  connection.speaker = new UpgradedSpeaker(connection, null);
  connection.enter("upgraded", plan.upgraded);
}

/** A request to leave HTTP that has not been answered. */
class PendingUpgrade implements Speaker, RequestHost {
  readonly connection: Connection;
  readonly #request: IncomingMessage;
  readonly #answer: (reason: CloseReason) => string | null;
  /** The socket's own `write` until the first bytes are written. */
  readonly #write: Socket["write"];
  readonly #restore: () => void;
  #answered = false;
  #drains = false;

  constructor(connection: Connection, request: IncomingMessage, answer: (reason: CloseReason) => string | null) {
    this.connection = connection;
    this.#request = request;
    this.#answer = answer;
    const socket = connection.output as Socket;
    const own = Object.hasOwn(socket, "write");
    const write = Reflect.get(socket, "write") as (...args: unknown[]) => boolean;
    this.#write = (...args: unknown[]): boolean => {
      if (!this.#answered) this.#see(args[0]);
      return Reflect.apply(write, socket, args);
    };
    this.#restore = () => {
      // Where somebody has wrapped ours meanwhile, it stays below, and passes everything on.
      if (socket.write !== this.#write) return;
      if (own) socket.write = write;
      else delete (socket as Partial<Socket>).write;
    };
    socket.write = this.#write;
  }

  /** The connection is all that the request has. */
  get custodian(): Custodian {
    return this.connection.custodian;
  }

  lastWords(reason: CloseReason): void {
    const answer = this.#answered ? null : this.#answer(reason);
    this.letGo();
    const { output } = this.connection;
    if (answer !== null && !output.writableEnded) output.write(answer);
  }

  drain(): void {
    this.connection.endSoon("drained");
    this.#drains = true;
  }

  letGo(): void {
    this.#answered = true;
    this.#restore();
  }

  plannedDeadline(): number {
    return this.connection.timer.deadline;
  }

  retime({ movedDeadline }: ManagedRequest): void {
    if (movedDeadline !== null) this.connection.moveDeadline(movedDeadline);
  }

  /** Who leaves is noticed on the connection. */
  watch(): void {}

  /** The first bytes of the answer. */
  #see(bytes: unknown): void {
    this.letGo();
    const { connection } = this;
    if (connection.closeReason !== null) return;
    const status = statusOf(bytes);
    const isConnect = this.#request.method === "CONNECT";
    // An answer of HTTP, after which the program ends the connection: for that it has what is left of its time.
    if (status >= 200 && !(isConnect && status < 300)) return;
    const speaker = new UpgradedSpeaker(connection, status === 101 && asksForWebSocket(this.#request));
    connection.speaker = speaker;
    connection.enter("upgraded", plan.upgraded);
    // The goodbye must come after the answer.
    if (this.#drains) speaker.drainSoon();
  }
}
