/**
 * The speaker of one HTTP/1.1 connection. A request is in two states at once: its body may still be received while its
 * response is sent. Of several that came together (pipelining) the oldest is being answered and the newest received.
 *
 * Deadlines in force, of which the timer has the earliest:
 *  - receiving: the body's (see body.ts), while it is the client that we wait for;
 *  - responding: `responseTimeout` from the turn of the request, its last piece of body included, until the response begins;
 *  - where the program has moved the request's deadline: that one alone, until the response has been sent.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { sentHead } from "../../core/node-internals.ts";
import { closeReasons } from "../../connection/close-reason.ts";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import { ManagedRequest, markRequest, markedRequest } from "../../connection/managed-request.ts";
import type { RequestHost } from "../../connection/managed-request.ts";
import type { Speaker } from "../../connection/speaker.ts";
import type { SafetyLimitName } from "../../limits/safety-limits.ts";
import { errorAnswer } from "./answers.ts";
import { IncomingBody } from "./body.ts";
import { judgeHead, limitStatus } from "./heads.ts";
import type { ServerSettings } from "./node-settings.ts";

/** Responses in which silence is no fault: event streams, and gRPC. */
const silentTypes = /^content-type: *(text\/event-stream|application\/grpc)/im;

export class Http1Speaker implements Speaker, RequestHost {
  readonly connection: Connection;
  readonly #settings: ServerSettings;
  /** Read and not yet answered, oldest first. */
  readonly #open: ServerResponse[] = [];
  /** The body of the newest request, while it is being received. */
  #body: IncomingBody | null = null;
  #requests = 0;
  /** Bytes received when the wait for the present request began. */
  #receivedAtIdle: number;
  /** When the oldest request's turn to be answered came. */
  #turnAt = 0;
  /** The bytes sent, and when we first saw that there were so many. */
  #sent = 0;
  #sentAt = 0;
  /** The response that was told to say `Connection: close`. */
  #told: ServerResponse | null = null;
  /** Whether node:http believes that its own timer of the idle connection is set. */
  #idleTimerTaken = false;
  /** The status of what the parser refused. */
  parserStatus: number | null = null;

  constructor(connection: Connection, settings: ServerSettings) {
    this.connection = connection;
    this.#settings = settings;
    this.#receivedAtIdle = connection.bytesReceived;
  }

  get waitsForClient(): boolean {
    return this.#body?.isAwaited === true;
  }

  /** A request's head was read: its handler is about to run. @returns false where it is refused instead */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    // A program that passes an expectation on as a request brings the same response again.
    if (this.#open.includes(response)) return true;
    const { connection } = this;
    const { safetyLimits } = connection.manager;
    const { broken, hasBody, bodyIsLimited } = judgeHead(request, safetyLimits);
    this.#open.push(response);
    this.#requests++;
    if (this.#settings.watchesResponses || this.#open.length > 1) this.#watchEnds();
    if (this.#open.length === 1) this.#takeTurn(hasBody);
    if (this.#requests >= safetyLimits.maxRequestsPerConnection)
      connection.endSoon("limit", "maxRequestsPerConnection");
    if (broken !== null && connection.mayCut("limit", broken)) {
      this.#refuse(response, broken);
      return false;
    }
    if (hasBody) {
      const most = bodyIsLimited ? safetyLimits.maxRequestBodyLength : Infinity;
      this.#body = new IncomingBody(request, connection, most, () => connection.end("limit", "maxRequestBodyLength"));
    }
    if (connection.shouldClose) this.#announceClose();
    return true;
  }

  /** What no event tells: the first byte of a request, the begin of a response, and the silence of a handler. */
  look(): void {
    const { connection } = this;
    const { phase } = connection;
    if (phase === "idle") {
      if (connection.bytesReceived === this.#receivedAtIdle) return;
      // The first request has been timed since the connection was made.
      connection.enter("reading", this.#requests === 0 ? undefined : plan.request);
      return;
    }
    const now = connection.manager.timers.clock.now();
    this.#body?.observe(now);
    if (phase === "handling" && this.#open[0]?.headersSent === true) {
      connection.enter("sending");
      this.#sent = -1;
    }
    if (phase === "sending") this.#lookForSilence(now);
  }

  extend(): number | undefined {
    const { connection } = this;
    const before = connection.phase;
    this.look();
    const [response] = this.#open;
    if (response === undefined) {
      // A request that began just now has its own time.
      const begun = connection.phase !== before && this.#requests > 0;
      return begun ? connection.manager.safetyLimits.requestReadTimeout : undefined;
    }
    const left = this.#deadline(response) - connection.manager.timers.clock.now();
    if (left > 0) return left;
    const moved = markedRequest(response.req)?.movedDeadline != null;
    const reason: CloseReason = !moved && this.waitsForClient ? "read-timeout" : "response-timeout";
    if (!connection.mayCut(reason, closeReasons[reason].limit ?? "responseTimeout")) return Infinity;
    connection.end(reason);
    return undefined;
  }

  lastWords(reason: CloseReason): void {
    const { connection } = this;
    const { closeLimit, output } = connection;
    const byLimit = closeLimit === null ? undefined : limitStatus[closeLimit];
    const status = this.parserStatus ?? byLimit ?? closeReasons[reason].httpStatus;
    // The fault of a later request is no answer to an earlier one.
    const isLater = this.#open.length > 1 && (this.parserStatus !== null || byLimit !== undefined);
    const answer = isLater ? null : errorAnswer(status, this.#open[0], connection.lastPhase);
    this.#leaveSocketToUs();
    if (answer !== null && !output.writableEnded) output.write(answer);
  }

  /** Idle ends at once; what is half sent gets its short chance; what is in flight is answered and told that it was the last. */
  drain(): void {
    const { connection } = this;
    this.look();
    connection.endSoon("drained");
    this.#announceClose();
    if (connection.phase === "reading") {
      const { clock } = connection.manager.timers;
      const chance = Math.min(connection.timer.deadline - clock.now(), connection.manager.safetyLimits.lingerTimeout);
      connection.timer.reset(Math.max(0, chance));
    }
  }

  /** What `speak` has put on the socket is put off again; a body under way still passes through our `push`. */
  letGo(): void {
    const socket = this.connection.input as Partial<Socket>;
    delete socket.setTimeout;
    delete socket.destroySoon;
  }

  requestOf(value: object): ManagedRequest | undefined {
    const response = this.#open.find(({ req }) => req === value);
    if (response === undefined) return undefined;
    const request = new ManagedRequest(this);
    markRequest(value, request);
    response.once("close", () => request.end(this.connection.closeReason ?? "completed"));
    return request;
  }

  plannedDeadline(request: ManagedRequest): number {
    const response = this.#open.find(({ req }) => markedRequest(req) === request);
    return response === undefined ? Infinity : this.#deadline(response);
  }

  retime(request: ManagedRequest): void {
    const [response] = this.#open;
    if (response !== undefined && markedRequest(response.req) === request) this.#setTimer(response);
  }

  /** A client that says FIN while its handler works has left, as far as a program that asks is concerned. */
  watch(request: ManagedRequest): void {
    const { input } = this.connection;
    const left = (): void => request.end("client-ended");
    input.once("end", left);
    request.custodian.defer(() => input.off("end", left));
  }

  /** What node:http sets on the socket: its own timer, of which only the news that idle begins and ends is taken. @returns whether it is taken */
  takeIdleTimer(ms: number): boolean {
    if (ms === this.#settings.idleTimer()) {
      this.#idleTimerTaken = true;
      this.#settings.idleTimerSeen();
      this.#answered();
      return true;
    }
    if (!this.#idleTimerTaken) return false;
    this.#idleTimerTaken = false;
    return ms === 0;
  }

  /** The response in turn has been sent. */
  #answered(): void {
    this.#open.shift();
    if (this.#body?.complete === true) this.#body = null;
    const { connection } = this;
    if (connection.closeReason !== null || connection.phase === "upgraded") return;
    if (this.#open.length > 0) {
      // The next of several that came together. Its time begins when its turn has come.
      this.#takeTurn(this.#body !== null);
      return;
    }
    this.#body = null;
    this.#receivedAtIdle = connection.bytesReceived;
    if (connection.shouldClose) connection.finish();
    else connection.enter("idle", plan.idle);
  }

  #takeTurn(hasBody: boolean): void {
    const { connection } = this;
    connection.enter("handling", plan.response);
    const { timers, safetyLimits } = connection.manager;
    const { requestReadTimeout, responseTimeout } = safetyLimits;
    // The clock was read a moment ago.
    this.#turnAt = responseTimeout === Infinity ? timers.clock.now() : connection.timer.deadline - responseTimeout;
    if (hasBody && requestReadTimeout < responseTimeout) connection.timer.reset(requestReadTimeout);
    const [response] = this.#open;
    if (response !== undefined && markedRequest(response.req)?.movedDeadline != null) this.#setTimer(response);
  }

  #setTimer(response: ServerResponse): void {
    const { timer, manager } = this.connection;
    timer.reset(Math.max(0, this.#deadline(response) - manager.timers.clock.now()));
  }

  /** The earliest of the deadlines in force for the request in turn. */
  #deadline(response: ServerResponse): number {
    const moved = markedRequest(response.req)?.movedDeadline;
    if (moved != null) return moved;
    const { safetyLimits } = this.connection.manager;
    const body = this.#open.length === 1 ? this.#body : null;
    if (body?.isAwaited === true) return body.deadline(safetyLimits);
    if (response.headersSent) return Infinity;
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
    const [response] = this.#open;
    if (response === undefined || connection.unsentBytes > 0 || response.writableEnded) {
      this.#sent = -1;
      return;
    }
    const sent = (connection.output as Socket).bytesWritten;
    if (sent !== this.#sent) {
      this.#sent = sent;
      this.#sentAt = now;
    } else if (now - this.#sentAt >= connection.manager.safetyLimits.responseSendTimeout) {
      if (silentTypes.test(sentHead(response))) this.#sentAt = Infinity;
      else connection.end("response-stalled", "responseSendTimeout");
    }
  }

  /** By its event, where node:http gives no other news of the end of a response. */
  #watchEnds(): void {
    for (const response of this.#open) {
      if (response.listeners("close").includes(this.#responseClosed)) continue;
      response.once("close", this.#responseClosed);
    }
  }

  readonly #responseClosed = (): void => {
    if (this.#open[0]?.closed === true) this.#answered();
  };

  /** Takes the socket from node:http, so that what still comes is thrown away rather than parsed. */
  #leaveSocketToUs(): void {
    const { input } = this.connection;
    for (const event of ["data", "end", "drain", "timeout"]) input.removeAllListeners(event);
    // A listener of ours makes the socket give bytes to JavaScript again instead of the parser.
    input.on("data", () => {});
  }

  /** On the newest response only: on an earlier one node:http would drop the requests behind it. */
  #announceClose(): void {
    const newest = this.#open.at(-1);
    if (newest === undefined || newest === this.#told) return;
    if (this.#told !== null && !this.#told.headersSent) this.#told.shouldKeepAlive = true;
    this.#told = !newest.headersSent && newest.shouldKeepAlive ? newest : null;
    newest.shouldKeepAlive = false;
  }
}
