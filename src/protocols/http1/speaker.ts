/**
 * The speaker of one HTTP/1.1 connection. A request is in two states at once: its body may still be received while its
 * response is sent.
 *
 * Deadlines in force, of which the timer has the earliest:
 *  - receiving: the body's (see request-body.ts), while it is the client that we wait for;
 *  - responding: `responseTimeout` from the turn of the request, its last piece of body included, until the response begins;
 *  - where the program has moved the deadline, of the connection or of the request in turn: that one alone, until the
 *    response has been sent.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { announceKeepAlive, responseOnSocket } from "../../core/node-internals.ts";
import { closeReasons } from "../../connection/close-reason.ts";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import { giveLastChance } from "../../connection/last-chance.ts";
import { connectionOfPort } from "../../connection/lookup.ts";
import { ManagedRequest, markRequest, markedRequest } from "../../connection/managed-request.ts";
import type { RequestHost } from "../../connection/managed-request.ts";
import type { Phase } from "../../connection/phase.ts";
import { leftWhile } from "../../connection/speaker.ts";
import type { Speaker, UnfinishedRequest } from "../../connection/speaker.ts";
import type { SafetyLimitName } from "../../limits/safety-limits.ts";
import { errorAnswer } from "./answers.ts";
import { judgeHead, limitStatus, requestLineLength } from "../heads.ts";
import { IncomingBody } from "../request-body.ts";
import type { ServerSettings } from "./node-settings.ts";
import { Silence } from "./silence.ts";
import { Turns } from "./turns.ts";
import { takeFromParser } from "./unheard.ts";

/** Those in which a request is under way. */
const busyPhases: readonly Phase[] = ["reading", "handling", "sending"];

export class Http1Speaker extends Turns implements Speaker, RequestHost {
  readonly connection: Connection;
  protected response: ServerResponse | null = null;
  protected behind: ServerResponse[] | null = null;
  protected body: IncomingBody | null = null;
  protected fault: "newest" | "behind" | null = null;
  readonly #settings: ServerSettings;
  #requests = 0;
  /** Bytes received when the wait for the present request began. */
  #receivedAtIdle: number;
  /** When the oldest request's turn to be answered came, where it has a body: else the connection's deadline tells. */
  #turnAt: number | null = null;
  /** Of the response that is being sent. */
  #silence: Silence | null = null;
  /** The response that was told to say `Connection: close`. */
  #told: ServerResponse | null = null;
  /** Whether node:http believes that its own timer of the idle connection is set. */
  #idleTimerTaken = false;
  /** Whether it may have requests in flight that are older than our being here. */
  #adopted = false;
  /** The status of what the parser refused. */
  parserStatus: number | null = null;

  constructor(connection: Connection, settings: ServerSettings) {
    super();
    this.connection = connection;
    this.#settings = settings;
    this.#receivedAtIdle = connection.bytesReceived;
  }

  /** A request's head was read: its handler is about to run. @returns false where it is refused instead */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    // A program that passes an expectation on as a request brings the same response again.
    if (this.has(response)) return true;
    const { connection } = this;
    if (this.leave()) {
      // What of its body came along makes node:http stop reading until somebody takes it.
      request.resume();
      return false;
    }
    const { safetyLimits } = connection.manager;
    const { broken, hasBody, bodyIsLimited } = judgeHead(requestLineLength(request), request.rawHeaders, safetyLimits);
    this.#requests++;
    const { maxRequestsPerConnection } = safetyLimits;
    if (this.#requests > maxRequestsPerConnection && connection.endsSoon && !connection.manager.observeOnly) {
      // It came behind the last that is served, and will not be answered. Nor need what follows it be read.
      connection.input.pause();
      return false;
    }
    if (this.response !== null) (this.behind ??= []).push(response);
    else this.#takeTurn(response, hasBody);
    if (this.#settings.watchesResponses || this.behind !== null) this.#watchEnds();
    if (this.#requests >= maxRequestsPerConnection && connection.mayCut("limit", "maxRequestsPerConnection")) {
      connection.endSoon("limit", "maxRequestsPerConnection");
    }
    if (broken !== null && connection.mayCut("limit", broken, request)) {
      this.#refuse(response, broken);
      return false;
    }
    if (hasBody) {
      this.#receive(request, bodyIsLimited ? safetyLimits.maxRequestBodyLength : Infinity);
    }
    if (connection.shouldClose) this.#announceClose();
    return true;
  }

  /**
   * Takes over a connection that was open before we came.
   * @param response of the request in flight, or undefined between two
   * @param receives whether a request is on its way
   */
  adopt(response: ServerResponse | undefined, receives: boolean): void {
    const { connection } = this;
    const socket = connection.input as Socket;
    this.#adopted = true;
    // Ours decides from now on; node:http believes that its own is still set.
    if (this.#settings.areOurs && socket.timeout === this.#settings.earlierIdleTimer) {
      Socket.prototype.setTimeout.call(socket, 0);
      this.#idleTimerTaken = true;
    }
    if (connection.bytesReceived === 0) connection.enter("idle", plan.request);
    else {
      this.#requests = 1;
      if (response !== undefined) this.#resume(response);
      else if (receives) connection.enter("reading", plan.request);
      else connection.enter("idle", plan.idle);
    }
  }

  /** A request whose handler had run before we came. */
  #resume(response: ServerResponse): void {
    const { req } = response;
    if (!req.complete) {
      const { safetyLimits } = this.connection.manager;
      const { bodyIsLimited } = judgeHead(0, req.rawHeaders, safetyLimits);
      this.#receive(req, bodyIsLimited ? safetyLimits.maxRequestBodyLength : Infinity);
    }
    this.#takeTurn(response, this.body !== null);
    this.#watchEnds();
  }

  #receive(request: IncomingMessage, most: number): void {
    const { connection } = this;
    this.body = new IncomingBody(request, connection, most, () => {
      if (!connection.mayCut("limit", "maxRequestBodyLength", request)) return;
      if (!this.answersFirst("limit", "maxRequestBodyLength")) connection.end("limit", "maxRequestBodyLength");
    });
  }

  /** What no event tells: the first byte of a request, the begin of a response, and the silence of a handler. */
  look(): void {
    const { connection } = this;
    const { phase } = connection;
    if (phase === "idle") {
      // Of a first request, some may have come while the client waited for a permit.
      if (connection.bytesReceived === (this.#requests === 0 ? 0 : this.#receivedAtIdle)) return;
      // The first request has been timed since the connection was made.
      connection.enter("reading", this.#requests === 0 ? undefined : plan.request);
      return;
    }
    if (connection.shouldClose) this.#announceClose();
    const now = connection.manager.timers.clock.now();
    this.body?.observe(now);
    if (phase === "handling" && this.response?.headersSent === true) {
      connection.enter("sending");
      this.#silence = null;
    }
    if (phase === "sending") this.#lookForSilence(now);
  }

  extend(): number | undefined {
    const { connection } = this;
    const before = connection.phase;
    this.look();
    const response = this.response;
    if (response === null) {
      // A request that began just now has its own time.
      const begun = connection.phase !== before && this.#requests > 0;
      return begun ? connection.manager.safetyLimits.requestReadTimeout : undefined;
    }
    const left = this.#deadline(response) - connection.manager.timers.clock.now();
    if (left > 0) return left;
    const reason: CloseReason = this.waitsForClient ? "read-timeout" : "response-timeout";
    if (!connection.mayCut(reason, closeReasons[reason].limit, response.req)) {
      // Whichever of its deadlines passes next, it has begun to count by now.
      return connection.manager.safetyLimits.responseTimeout || Infinity;
    }
    connection.end(reason);
    return undefined;
  }

  lastWords(reason: CloseReason): void {
    const { connection } = this;
    const { closeLimit, output } = connection;
    const { whole } = this;
    const byLimit = closeLimit === null ? undefined : limitStatus[closeLimit];
    const refused = whole === 0 ? this.parserStatus : null;
    const status = refused ?? byLimit ?? closeReasons[reason].httpStatus;
    // The fault of a later request, or of what follows the newest, is no answer to one that came whole.
    const isLater = whole > 0 && (reason === "protocol-error" || byLimit !== undefined);
    const answer = isLater ? null : errorAnswer(status, this.response, connection.lastPhase);
    if (this.quietFor < 0) this.leave();
    if (answer !== null && !output.writableEnded) output.write(answer);
  }

  /** The newest request is at fault, or what follows it. @returns whether any came whole before it: these are answered first */
  answersFirst(reason: CloseReason, limit: SafetyLimitName | null = null): boolean {
    if (this.whole === 0) return false;
    const { connection } = this;
    this.fault ??= this.body?.complete === false ? "newest" : "behind";
    connection.endSoon(reason, limit);
    this.#announceClose();
    connection.input.pause();
    return true;
  }

  /**
   * A socket between two requests is left to node:http, which costs nothing: its parser reads on, and what it finds is
   * refused (`leave`).
   */
  get quietFor(): number {
    const { connection } = this;
    const { input, closeReason, manager } = connection;
    const isPlain = connection.raw === null && input instanceof Socket && !("encrypted" in input);
    if (!isPlain || input.readableFlowing !== true || input.readableEnded || input.writableEnded) return -1;
    if (closeReason === null || closeReasons[closeReason].manner !== "linger" || this.parserStatus !== null) return -1;
    const response = this.response;
    if (this.behind !== null || this.body?.complete === false || response?.writableFinished === false) return -1;
    if (connection.lastPhase !== "idle") return response === null ? -1 : 0;
    if (connection.bytesReceived !== (this.#requests === 0 ? 0 : this.#receivedAtIdle)) return -1;
    // Without a request there was no answer.
    if (this.#requests === 0) return Infinity;
    const idleSince = connection.timer.deadline - manager.safetyLimits.idleTimeout;
    // A deadline that is not as planned does not tell when idle began.
    return connection.deadlineMoved || Number.isNaN(idleSince) ? 0 : manager.timers.clock.now() - idleSince;
  }

  /** Idle ends at once; what is half sent gets its short chance; what is in flight is answered and told that it was the last. */
  drain(grace: number): void {
    const { connection } = this;
    this.look();
    connection.endSoon("drained");
    this.#announceClose();
    if (connection.phase === "reading") giveLastChance(connection, grace);
  }

  /** What we have put on the socket, and on what is in flight, is put off again. The server's settings are its own by now. */
  letGo(): void {
    const socket = this.connection.input as Socket;
    delete (socket as Partial<Socket>).setTimeout;
    delete (socket as Partial<Socket>).destroySoon;
    this.body?.letGo();
    for (const response of this.open) {
      response.off("close", responseClosed);
      announceKeepAlive(response, this.#settings.keepAliveTimeout);
    }
    // node:http believes that its own timer has been running.
    if (this.#idleTimerTaken && this.response === null) socket.setTimeout(this.#settings.idleTimer());
  }

  accountable(reason: CloseReason): object | null {
    return (reason === "receive-rate" ? this.newest : this.response)?.req ?? null;
  }

  get unfinished(): UnfinishedRequest | null {
    return leftWhile(this.connection, busyPhases);
  }

  requestOf(value: object): ManagedRequest | undefined {
    const response = this.open.find(({ req }) => req === value);
    if (response === undefined) return undefined;
    const request = new ManagedRequest(this);
    markRequest(value, request);
    response.once("close", () => request.end(this.connection.closeReason ?? "completed"));
    return request;
  }

  plannedDeadline(request: ManagedRequest): number {
    const response = this.open.find(({ req }) => markedRequest(req) === request);
    return response === undefined ? Infinity : this.#deadline(response);
  }

  retime(request: ManagedRequest): void {
    const { movedDeadline } = request;
    const isInTurn = this.response !== null && markedRequest(this.response.req) === request;
    if (isInTurn && movedDeadline !== null) this.connection.moveDeadline(movedDeadline);
  }

  /** A client that says FIN while its handler works has left, as far as a program that asks is concerned. */
  watch(request: ManagedRequest): void {
    const { input } = this.connection;
    const left = (): void => request.end("client-ended");
    input.once("end", left);
    request.custodian.defer(() => input.off("end", left));
  }

  /**
   * What node:http sets on the socket: its own timer, of which only the news that idle begins and ends is taken. As ever, one
   * that the program has set on the socket does not outlast the response, nor the wait for the next request.
   * @returns whether it is taken, which it is not where it stays in force
   */
  takeIdleTimer(ms: number): boolean {
    const socket = this.connection.input as Socket;
    if (ms === this.#settings.idleTimer()) {
      this.#idleTimerTaken = this.#settings.areOurs;
      if (this.#idleTimerTaken && isTimed(socket)) Socket.prototype.setTimeout.call(socket, 0);
      this.#settings.idleTimerSeen();
      this.#answered();
      return this.#idleTimerTaken;
    }
    if (!this.#idleTimerTaken) return false;
    this.#idleTimerTaken = false;
    return ms === 0 && !isTimed(socket);
  }

  /** The response in turn has been sent. */
  #answered(): void {
    const { connection } = this;
    const next = this.nextTurn();
    if (connection.closeReason !== null || connection.phase === "upgraded") return;
    if (next !== null && !(this.fault !== null && this.whole === 0)) {
      // The next of several that came together. Its time begins when its turn has come.
      this.#takeTurn(next, this.body !== null);
      return;
    }
    if (this.#adopted) {
      // Of those that came together before us only the one in turn could be found.
      const older = responseOnSocket(connection.input as Socket);
      this.#adopted = older !== undefined;
      if (older !== undefined) {
        this.#resume(older);
        return;
      }
    }
    this.body = null;
    this.#receivedAtIdle = connection.bytesReceived;
    if (connection.shouldClose) connection.finish();
    else connection.enter("idle", plan.idle);
  }

  #takeTurn(response: ServerResponse, hasBody: boolean): void {
    const { connection } = this;
    this.response = response;
    connection.enter("handling", plan.response);
    const { timers, safetyLimits } = connection.manager;
    const { requestReadTimeout, responseTimeout } = safetyLimits;
    this.#turnAt = hasBody ? timers.clock.now() : null;
    if (hasBody && requestReadTimeout < responseTimeout) connection.timer.reset(requestReadTimeout);
    const request = markedRequest(response.req);
    if (request !== undefined) this.retime(request);
  }

  /** The earliest of the deadlines in force for the request in turn. */
  #deadline(response: ServerResponse): number {
    const { safetyLimits } = this.connection.manager;
    const body = this.behind === null ? this.body : null;
    if (body?.isAwaited === true) return body.deadline(safetyLimits);
    if (response.headersSent) return Infinity;
    if (this.#turnAt === null) return this.connection.timer.deadline;
    return Math.max(this.#turnAt, body?.progressAt ?? 0) + safetyLimits.responseTimeout;
  }

  /** Refuses a request that breaks a limit, after those before it have been answered. */
  #refuse(response: ServerResponse, limit: SafetyLimitName): void {
    this.connection.endSoon("limit", limit);
    this.#announceClose();
    response.writeHead(limitStatus[limit] ?? 400, ["Content-Length", "0", "Connection", "close"]).end();
  }

  /** A handler that has begun and then falls silent, though the client takes everything. */
  #lookForSilence(now: number): void {
    const { connection } = this;
    const response = this.response;
    if (response === null || connection.unsentBytes > 0 || response.writableEnded) {
      this.#silence = null;
      return;
    }
    this.#silence ??= new Silence();
    if (!this.#silence.isTooLong(response, connection, now)) return;
    if (connection.mayCut("response-stalled", "responseSendTimeout", response.req)) {
      connection.end("response-stalled", "responseSendTimeout");
    }
  }

  /** By its event, where node:http gives no other news of the end of a response. */
  #watchEnds(): void {
    for (const response of this.open) {
      if (!response.listeners("close").includes(responseClosed)) response.once("close", responseClosed);
    }
  }

  /** A response has closed. */
  responseClosed(): void {
    if (this.response?.closed === true) this.#answered();
  }

  /**
   * Once the end has begun, takes the socket from node:http, so that what still comes is thrown away rather than parsed.
   * @returns whether the end has begun
   */
  leave(): boolean {
    const { input, closeReason } = this.connection;
    if (closeReason === null) return false;
    takeFromParser(input);
    return true;
  }

  /** On the newest response only: on an earlier one node:http would drop the requests behind it. */
  #announceClose(): void {
    const { newest } = this;
    if (newest === null || newest === this.#told) return;
    if (this.#told !== null && !this.#told.headersSent) this.#told.shouldKeepAlive = true;
    this.#told = !newest.headersSent && newest.shouldKeepAlive ? newest : null;
    newest.shouldKeepAlive = false;
  }
}

/** Whether a timer is set on it. A stream that is no socket has none. */
function isTimed({ timeout }: Socket): boolean {
  return timeout !== undefined && timeout > 0;
}

/** One function for all responses. */
function responseClosed(this: ServerResponse): void {
  const speaker = connectionOfPort(this.req.socket)?.speaker;
  if (speaker instanceof Http1Speaker) speaker.responseClosed();
}
