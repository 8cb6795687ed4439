/**
 * One stream of HTTP/2: a request, in two states at once, since its body may still be received while its response is sent.
 *
 * Deadlines in force, of which its connection's timer has the earliest of all streams:
 *  - receiving: the body's (see request-body.ts), while it is the client that we wait for;
 *  - responding: `responseTimeout`, from the last piece of body on, until the response begins;
 *  - where the program has moved the request's deadline: that one alone, until the response has been sent.
 */
import type { ServerHttp2Stream } from "node:http2";
import { defineChannel } from "../../core/channels.ts";
import type { Linked } from "../../core/linked-list.ts";
import { nodeHttp2 } from "../../core/node-modules.ts";
import { toError } from "../../core/report.ts";
import { closeReasons } from "../../connection/close-reason.ts";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { Phase } from "../../connection/phase.ts";
import type { Connection } from "../../connection/connection.ts";
import { keeperOf, unmarkLayer } from "../../connection/lookup.ts";
import { ManagedRequest, markRequest } from "../../connection/managed-request.ts";
import type { RequestHost } from "../../connection/managed-request.ts";
import type { UnfinishedRequest } from "../../connection/speaker.ts";
import { warnOfFirstCut } from "../../limits/first-cut.ts";
import type { SafetyLimitName } from "../../limits/safety-limits.ts";
import { limitStatus } from "../heads.ts";
import { IncomingBody } from "../request-body.ts";
import { allowances } from "./control-frames.ts";
import { answerAndCutOff, cutOff, markUnfinished } from "./own-methods.ts";
import type { StreamKeeper } from "./own-methods.ts";
import { StreamReceiving } from "./receiving.ts";
import { StreamSending, mayBeSilent } from "./sending.ts";
import type { Cut, SessionSending } from "./sending.ts";

const cutChannel = defineChannel<{
  connection: Connection;
  stream: ServerHttp2Stream;
  reason: CloseReason;
  limit: SafetyLimitName | null;
  phase: Phase;
}>("portreeve.stream.cut");

/** The code of HTTP/2 that belongs to a close reason. */
export function http2Code(reason: CloseReason): number {
  const { http2Code: name } = closeReasons[reason];
  return nodeHttp2().constants[`NGHTTP2_${name ?? "NO_ERROR"}`];
}

/** The exchange of a stream that is open and watched. */
export function exchangeOf(stream: object): Exchange | undefined {
  const keeper = keeperOf(stream);
  return keeper instanceof Exchange && keeper.place !== 0 ? keeper : undefined;
}

/** Who has the exchanges of a session. */
export interface ExchangeHost {
  /** The deadline of one of them comes closer. */
  hasten(deadline: number): void;
  /** One of them is cut, and the others go on. */
  streamCut(cut: UnfinishedRequest): void;
  /** The stream of one is about to be destroyed. */
  streamEnds(exchange: Exchange, error: Error | null, isClosed: boolean): void;
}

export class Exchange implements RequestHost, StreamKeeper, Linked<Exchange> {
  readonly connection: Connection;
  readonly stream: ServerHttp2Stream;
  /** When its response must have begun, body aside: for `setDeadline` to move. @internal */
  at = Infinity;
  readonly #host: ExchangeHost;
  /** Its body, where it has one. */
  body: IncomingBody | null = null;
  #request: ManagedRequest | null = null;
  #receiving: StreamReceiving | null = null;
  #sending: StreamSending | null = null;
  /** Why it was cut. */
  #cutFor: CloseReason | null = null;
  #bodyAllowed = 0;
  /** Where a deadline has passed and was only observed: when it is asked again, by the clock. */
  #sparedUntil = 0;
  closedBy: StreamKeeper["closedBy"] = null;
  hasTimeout = false;
  /** Its place among the open ones of its session. */
  older: Exchange | null = null;
  newer: Exchange | null = null;
  place = 0;

  constructor(connection: Connection, stream: ServerHttp2Stream, host: ExchangeHost) {
    this.connection = connection;
    this.stream = stream;
    this.#host = host;
    const { timers, safetyLimits } = connection.manager;
    timers.setDeadline(this, safetyLimits.responseTimeout);
  }

  /** A body of at most so many bytes follows. */
  receive(most: number): void {
    this.body = new IncomingBody(this.stream, this.connection, most, () => this.cut("limit", "maxRequestBodyLength"));
  }

  /** When it must have gone on, by the clock. */
  get deadline(): number {
    if (this.#cutFor !== null) return Infinity;
    return Math.max(this.#inForce, this.#sparedUntil);
  }

  get #inForce(): number {
    const { body, stream } = this;
    const { safetyLimits, timers } = this.connection.manager;
    const moved = this.#request?.movedDeadline;
    if (moved != null) return moved;
    if (body !== null && this.#bodyIsOwed) return body.deadline(safetyLimits);
    if (stream.headersSent) return Infinity;
    timers.settle();
    return body === null ? this.at : Math.max(this.at, body.progressAt + safetyLimits.responseTimeout);
  }

  /** Its deadline has passed. */
  expire(): void {
    const awaited = !this.#isMoved && this.#bodyIsOwed;
    const reason = awaited ? "read-timeout" : "response-timeout";
    if (this.cut(reason, closeReasons[reason].limit)) return;
    const { timers, safetyLimits } = this.connection.manager;
    // Whichever of its deadlines passes next, it has begun to count by now.
    this.#sparedUntil = timers.clock.now() + safetyLimits.responseTimeout;
  }

  /** To be called many times a second. @returns whether it was cut */
  look(now: number, session: SessionSending): boolean {
    if (this.#cutFor !== null) return false;
    const { body, stream } = this;
    if (stream.closed && stream.aborted && this.closedBy !== "us") {
      // Reset without an error, and http2 waits for the program to read what came. Nobody counts the stream any more.
      stream.destroy();
      return false;
    }
    const { safetyLimits } = this.connection.manager;
    const owed = this.#bodyIsOwed;
    let cut: Cut | null = null;
    if (body !== null) {
      body.observe(now, owed);
      if (owed) this.#host.hasten(this.deadline);
      this.#receiving ??= new StreamReceiving(safetyLimits.minReceiveRate, now);
      cut = this.#receiving.look(body.received, owed, now);
    }
    this.#sending ??= new StreamSending(stream, safetyLimits, session.before);
    cut ??= this.#sending.look(session, owed, now);
    return cut !== null && this.cut(cut.reason, cut.limit);
  }

  /** Ends this stream, and no other: with an answer where nothing was sent yet, else with a reset. @returns whether it does */
  cut(reason: CloseReason, limit: SafetyLimitName | null): boolean {
    const { connection, stream } = this;
    if (this.#cutFor !== null || stream.destroyed || !connection.mayCut(reason, limit, stream)) return false;
    this.#cutFor = reason;
    const byLimit = limit !== null && !(this.#isMoved && closeReasons[reason].limit === limit);
    if (byLimit) warnOfFirstCut(limit, connection.manager.safetyLimits);
    const status = (limit === null ? undefined : limitStatus[limit]) ?? closeReasons[reason].httpStatus;
    const phase = stream.headersSent ? "sending" : "handling";
    const failed = (error: unknown): void => connection.manager.fail(toError(error), connection);
    if (status === null || stream.closed || phase === "sending") cutOff(stream, http2Code(reason), failed);
    else answerAndCutOff(stream, status, failed);
    this.#host.streamCut({ reason, phase });
    if (cutChannel.hasSubscribers) cutChannel.publish({ connection, stream, reason, limit, phase });
    return true;
  }

  /** Its session ends now: with a status, where nothing was sent yet and there is one; else what was sent has no end. */
  lastWords(status: number | null): void {
    const { stream } = this;
    if (status === null || stream.closed || stream.headersSent) markUnfinished(stream);
    else stream.respond({ ":status": status }, { endStream: true });
  }

  toJSON(): undefined {
    return undefined;
  }

  ends(error: Error | null, isClosed: boolean): void {
    this.#host.streamEnds(this, error, isClosed);
  }

  /** Whether it is somebody else who has ended the stream, and not in the regular way. See `ends`. */
  wasReset(error: Error | null, isClosed: boolean): boolean {
    const { closedBy, stream } = this;
    if (closedBy === "us") return false;
    // A program may end with an error of its own what the client has closed.
    if (closedBy !== "client" && (!isClosed || error !== null)) return false;
    return stream.rstCode !== 0 || stream.aborted;
  }

  /** The stream is gone. @param byClient whether it was the client that reset it */
  end(byClient: boolean): void {
    const cutFor = this.#cutFor ?? this.connection.closeReason;
    if (cutFor !== null) this.#tellOfHalfBody();
    this.#request?.end(cutFor ?? (byClient ? "client-reset" : "completed"));
  }

  /** We have answered in the program's place, and so Node does not tell it that half of the body is all that will come. */
  #tellOfHalfBody(): void {
    const { body, connection, stream } = this;
    if (body === null || body.hasEnded || stream.aborted || !stream.writableEnded) return;
    try {
      stream.emit("aborted");
    } catch (error) {
      connection.manager.fail(toError(error), connection);
    }
  }

  /** Nobody watches it any more; what the program has opened for it still ends with it. */
  letGo(): void {
    unmarkLayer(this.stream, this);
    this.body?.letGo();
    const request = this.#request;
    if (request !== null) this.stream.once("close", () => request.end("completed"));
  }

  /** Bytes of the frames of its body since this was asked last, about. */
  bodyProgress(): number {
    const all = this.body === null ? 0 : this.body.received + this.body.pieces * allowances.piece;
    const fresh = all - this.#bodyAllowed;
    this.#bodyAllowed = all;
    return fresh;
  }

  /** What the program asked for, made when it first does. */
  get request(): ManagedRequest {
    if (this.#request === null) {
      this.#request = new ManagedRequest(this);
      markRequest(this.stream, this.#request);
    }
    return this.#request;
  }

  plannedDeadline(): number {
    return this.deadline;
  }

  retime(): void {
    this.#host.hasten(this.deadline);
  }

  /** Nothing to do: the end of a stream is always heard. */
  watch(): void {}

  /** Whether the program has moved its deadline. */
  get #isMoved(): boolean {
    return this.#request?.movedDeadline != null;
  }

  /** Whether it is the client that we wait for. In a conversation, as of gRPC, it may be silent while we are answering. */
  get #bodyIsOwed(): boolean {
    const { body, stream } = this;
    if (body?.isAwaited !== true) return false;
    return !stream.headersSent || stream.writableFinished || !mayBeSilent(stream);
  }
}

/** Whether it is the client that has opened a stream, and it is still open. */
export function isRequest({ id, destroyed }: ServerHttp2Stream): boolean {
  return !destroyed && id !== undefined && id % 2 === 1;
}
