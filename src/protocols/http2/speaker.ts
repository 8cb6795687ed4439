/**
 * The speaker of one HTTP/2 session. The connection is `handshaking` until the client has acknowledged our settings, then
 * `idle` without and `handling` with open streams; its timer has the earliest deadline of all of them.
 */
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { handleQueue, http2HeadOf, http2StreamsOf, isSessionDead } from "../../core/node-internals.ts";
import { LinkedList } from "../../core/linked-list.ts";
import { tryFirstSession, tryFirstStream } from "../../core/node-self-test.ts";
import { toError } from "../../core/report.ts";
import { closeReasons } from "../../connection/close-reason.ts";
import type { CloseReason } from "../../connection/close-reason.ts";
import type { Connection } from "../../connection/connection.ts";
import { plan } from "../../connection/deadline-plan.ts";
import { giveLastChance } from "../../connection/last-chance.ts";
import { markLayer, unmarkLayer } from "../../connection/lookup.ts";
import { ManagedRequest } from "../../connection/managed-request.ts";
import { isDeparture, isProtocolError } from "../../connection/ports.ts";
import type { Phase } from "../../connection/phase.ts";
import { leftWhile } from "../../connection/speaker.ts";
import type { Speaker, UnfinishedRequest } from "../../connection/speaker.ts";
import { CountWithin } from "../../limits/count-within.ts";
import { headSize, isShort, judgeHead } from "../heads.ts";
import { ControlFrames } from "./control-frames.ts";
import { Exchange, exchangeOf, http2Code, isRequest } from "./exchange.ts";
import type { ExchangeHost } from "./exchange.ts";
import {
  freeSession,
  freeStream,
  hasErrorListener,
  hearStreamErrors,
  isWatched,
  sayGoodbye,
  watchSession,
  watchStream,
} from "./own-methods.ts";
import type { SessionKeeper } from "./own-methods.ts";
import { waitingIn } from "./sending.ts";
import type { SessionSending } from "./sending.ts";
import { reasonOf } from "./session-errors.ts";
import { SessionNews } from "./session-news.ts";
import type { SessionListener } from "./session-news.ts";
import { allowanceFor, hasBody } from "./stream-event.ts";
import type { StreamEvent } from "./stream-event.ts";

/** Those in which streams are open. */
const busyPhases: readonly Phase[] = ["handling"];
/** What a stream of a client may have on its way when nobody waits for it any more, where the settings do not say. */
const usualWindow = 65_535;

export class Http2Speaker implements Speaker, SessionKeeper, SessionListener, ExchangeHost {
  readonly connection: Connection;
  #session: ServerHttp2Session | null = null;
  #news: SessionNews | null = null;
  /** Whether the client is yet to acknowledge our settings. */
  #shakesHands: boolean;
  /** When the handshake must be over; Infinity once it is. */
  #handshakeBy: number;
  readonly #open: LinkedList<Exchange> = new LinkedList();
  #requests = 0;
  /** The newest stream that anybody heard of. */
  #newest = 0;
  /** What had been sent at the last look, or when the session was made. */
  #sentThen = 0;
  readonly #control: ControlFrames;
  readonly #resets: CountWithin;
  /** Whether the client was told that no further streams are served. */
  #leaving = false;
  /** Whether nghttp2 has ended the session by itself, and has said why. */
  #isDead = false;
  /** The first stream that was cut by itself since the drain began. */
  #firstCut: UnfinishedRequest | null = null;

  constructor(connection: Connection, shakesHands: boolean = true) {
    const { maxControlFrames, maxStreamResets } = connection.manager.safetyLimits;
    this.connection = connection;
    this.#control = new ControlFrames(maxControlFrames);
    this.#resets = new CountWithin(maxStreamResets);
    if (shakesHands && connection.phase !== "handshaking") connection.enter("handshaking", plan.handshake);
    this.#shakesHands = shakesHands;
    this.#handshakeBy = shakesHands ? connection.timer.deadline : Infinity;
  }

  /** The session of this connection was made, and nobody else has heard of it yet. */
  attach(session: ServerHttp2Session): void {
    this.#session = session;
    this.#sentThen = this.#sent;
    this.#control.startAt(0, this.#sentThen, this.connection.rawOutput !== null);
    tryFirstSession(session);
    markLayer(session, this);
    watchSession(session);
    this.#news = new SessionNews(session, this);
  }

  /** The program has heard of the session, and may have given it back already. */
  start(): void {
    if (this.connection.speaker === this) this.#news?.start();
  }

  /** Takes over a session that was open before we came. What was received and sent so far is not judged. */
  adopt(session: ServerHttp2Session): void {
    this.attach(session);
    this.start();
    const { connection } = this;
    this.#control.startAt((connection.input as Socket).bytesRead, this.#sent, connection.rawOutput !== null);
    for (const stream of http2StreamsOf(session) ?? []) if (isRequest(stream)) this.#resume(stream);
    this.#newest = newestOf(session);
    if (this.#open.size === 0 && !this.#shakesHands) connection.enter("idle", plan.idle);
  }

  /** What waits for the client below the streams: http2 writes straight to the handle of the lowest socket. */
  get unsentBytes(): number {
    const queued = this.#queued;
    return queued === 0 ? 0 : Math.max(queued, this.#waiting);
  }

  /** http2 ends the socket by itself, once all of its frames are out. */
  get endsOutput(): boolean {
    return this.#session !== null;
  }

  get unfinished(): UnfinishedRequest | null {
    return this.#firstCut ?? leftWhile(this.connection, busyPhases);
  }

  get openRequests(): number {
    return this.#open.size;
  }

  look(): void {
    const { connection } = this;
    if (this.#session === null || connection.closeReason !== null) return;
    const now = connection.manager.timers.clock.now();
    const sent = this.#sent;
    for (const exchange of this.#open) this.#control.allow(exchange.bodyProgress());
    const before = this.#control.served;
    const isFlood = !this.#control.look((connection.input as Socket).bytesRead, sent, now);
    if (isFlood && connection.mayCut("abuse", "maxControlFrames", null)) {
      connection.end("abuse", "maxControlFrames");
      return;
    }
    // One that has just sent something is alive.
    if (sent === this.#sentThen && !this.#session.closed && isSessionDead(this.#session)) {
      this.#isDead = true;
      connection.end("protocol-error");
      return;
    }
    this.#sentThen = sent;
    if (this.#open.size === 0) return;
    if (connection.shouldClose) this.#leave();
    const waiting = this.#waiting;
    const session: SessionSending = {
      before,
      sent: this.#control.served,
      blocked: this.#queued > 0,
      waiting,
      streams: this.#open.size,
    };
    for (const exchange of this.#open) {
      if (exchange.look(now, session)) session.waiting = this.#waiting;
    }
  }

  extend(): number | undefined {
    const { connection } = this;
    const { timers, safetyLimits } = connection.manager;
    const now = timers.clock.now();
    if (this.#handshakeBy <= now) {
      if (connection.mayCut("handshake-timeout", "handshakeTimeout", null)) return undefined;
      this.#handshakeBy = Infinity;
      if (this.#open.size === 0) return Infinity;
    }
    let next = this.#handshakeBy;
    const busy = this.#open.size > 0;
    for (const exchange of this.#open) {
      if (exchange.deadline <= now) exchange.expire();
      if (exchange.deadline > now) next = Math.min(next, exchange.deadline);
    }
    if (this.#open.size > 0) return next - now;
    // The last ones were cut just now.
    if (busy) return this.#leaving ? safetyLimits.lingerTimeout : Math.min(next - now, safetyLimits.idleTimeout);
    // The client is still taking what the last streams have sent.
    if (this.unsentBytes > 0) return safetyLimits.idleTimeout;
    if (this.#leaving) this.#finished();
    // As long as it shakes hands no other deadline is in force, and that one was told.
    return this.#shakesHands && connection.manager.observeOnly ? Infinity : undefined;
  }

  lastWords(reason: CloseReason): void {
    const session = this.#session;
    const { manner, httpStatus } = closeReasons[reason];
    if (session === null || session.destroyed || manner === "reset") return;
    for (const exchange of this.#open) exchange.lastWords(httpStatus);
    // Of one that is dead only a farewell of the program's own is still followed by ours, and is not to be contradicted.
    const code = this.connection.endsSoon || this.#isDead ? http2Code("completed") : http2Code(reason);
    sayGoodbye(session, code, this.#open.size > 0 && this.connection.rawOutput !== null);
  }

  /**
   * Idle ends at once, and so does half a handshake; half a head gets its short chance; streams in flight are answered, and
   * the client knows the last.
   */
  drain(grace: number): void {
    const { connection } = this;
    this.#firstCut = null;
    if (this.#open.size === 0 && this.unsentBytes === 0) {
      if (!this.#hasHalfAHead) {
        connection.end("drained");
        return;
      }
      giveLastChance(connection, grace);
      connection.endSoon("drained");
      return;
    }
    if (connection.phase === "idle") connection.enter("handling");
    connection.endSoon("drained");
    this.#leave();
    if (this.#open.size === 0) this.#quiet();
  }

  letGo(): void {
    this.#news?.letGo();
    const session = this.#session;
    if (session !== null) {
      freeSession(session);
      unmarkLayer(session, this);
    }
    for (const exchange of this.#open) {
      exchange.letGo();
      freeStream(exchange.stream);
    }
  }

  toJSON(): undefined {
    return undefined;
  }

  requestOf(value: object): ManagedRequest | undefined {
    const exchange = exchangeOf(value);
    if (exchange !== undefined) return exchange.request;
    if (!("rstCode" in value)) return undefined;
    // A handler that asks after the client has gone: what it opens for the request is closed at once.
    const { request } = new Exchange(this.connection, value as ServerHttp2Stream, this);
    request.end("client-reset");
    return request;
  }

  hasten(deadline: number): void {
    const { timer, manager } = this.connection;
    // Of two that may still move, the one that is later now stays so; and it is no fault to be asked too early.
    if (deadline < timer.at) timer.reset(Math.max(0, deadline - manager.timers.clock.now()));
  }

  streamCut(cut: UnfinishedRequest): void {
    this.#firstCut ??= cut;
  }

  streamEnds(exchange: Exchange, error: Error | null, isClosed: boolean): void {
    if (exchange.place === 0) return;
    this.#open.remove(exchange);
    const { connection } = this;
    const { stream, body } = exchange;
    const reset = exchange.wasReset(error, isClosed);
    const byClient = reset && connection.closeReason === null && this.#session?.destroyed === false;
    if (body !== null) {
      this.#control.allow(exchange.bodyProgress());
      if (!body.hasEnded) this.#control.allowLate(this.#session?.localSettings.initialWindowSize ?? usualWindow);
    }
    if (byClient) this.#countReset();
    if (error !== null && !isDeparture(error) && !isProtocolError(error) && !hasErrorListener(stream)) {
      connection.manager.fail(error, connection);
    }
    exchange.end(byClient);
    if (this.#open.size === 0) this.#quiet();
  }

  sessionEnded(error: unknown): void {
    const { connection } = this;
    if (connection.closeReason !== null) return;
    if (error instanceof Error) {
      connection.end(reasonOf(error, this.#news?.clientHasLeft === true));
      return;
    }
    const { output } = connection;
    if (output.writableFinished || output.destroyed) {
      this.#finished();
      return;
    }
    this.#leaving = true;
    connection.timer.reset(connection.manager.safetyLimits.lingerTimeout);
    output.once("finish", () => this.#finished());
  }

  streamBegan(event: StreamEvent): void {
    const stream = event[0];
    const { connection } = this;
    this.#newest = Math.max(this.#newest, stream.id ?? 0);
    if (connection.closeReason !== null) return;
    const isClosed = stream.closed;
    // A stream that was destroyed is closed and has no session. Asking `destroyed`, here where nobody else does, would make V8
    // forget how Node's own code asks.
    if (isClosed && stream.session === undefined) {
      // Reset before anybody heard of it; the program never does.
      this.#countReset();
      return;
    }
    // Of those that are older than our being here, some are only now heard of; and a program may tell of one again.
    const known = isWatched(stream) ? exchangeOf(stream) : undefined;
    const exchange = known ?? this.#admit(event, isClosed);
    try {
      if (exchange !== null) this.#news?.pass(event);
    } catch (error) {
      connection.manager.fail(toError(error), connection);
      exchange?.cut("handler-error", null);
    } finally {
      hearStreamErrors(stream);
    }
  }

  /** @returns null where the stream is refused */
  #admit(event: StreamEvent, isClosed: boolean): Exchange | null {
    const { connection } = this;
    const { timers, safetyLimits } = connection.manager;
    const exchange = this.#take(event[0], isClosed);
    const size = headSize(event[3]);
    this.#control.allow(allowanceFor(event, size));
    const isLast = this.#requests >= safetyLimits.maxRequestsPerConnection;
    if (isLast && connection.mayCut("limit", "maxRequestsPerConnection")) {
      connection.endSoon("limit", "maxRequestsPerConnection");
    }
    if (connection.manager.observeOnly) this.#spareTooMany(event[0]);
    if (connection.shouldClose) this.#leave();
    // One that is short, and that no body follows, breaks no limit.
    if (hasBody(event) || !isShort(size, event[3], safetyLimits)) {
      const { broken, bodyIsLimited } = judgeHead(0, event[3], safetyLimits);
      if (hasBody(event)) exchange.receive(bodyIsLimited ? safetyLimits.maxRequestBodyLength : Infinity);
      if (broken !== null && connection.mayCut("limit", broken, event[0])) {
        exchange.cut("limit", broken);
        return null;
      }
    }
    const { requestReadTimeout, responseTimeout } = safetyLimits;
    if (hasBody(event)) this.hasten(timers.clock.now() + Math.min(requestReadTimeout, responseTimeout));
    // While it is the only one, the connection has the same deadline.
    else if (this.#open.size > 1 || this.#shakesHands) this.hasten(exchange.at);
    return exchange;
  }

  /** Of `maxConcurrentStreams` clients are not told where limits only observe, and so nghttp2 refuses nobody. */
  #spareTooMany(stream: ServerHttp2Stream): void {
    const { maxConcurrentStreams } = this.connection.manager.safetyLimits;
    if (this.#open.size <= maxConcurrentStreams) return;
    let open = 0;
    for (const { stream } of this.#open) {
      if (!stream.closed) open++;
      if (open > maxConcurrentStreams) break;
    }
    if (open > maxConcurrentStreams) this.connection.mayCut("limit", "maxConcurrentStreams", stream);
  }

  #take(stream: ServerHttp2Stream, isClosed: boolean): Exchange {
    const { connection } = this;
    tryFirstStream(stream);
    const exchange = new Exchange(connection, stream, this);
    this.#open.add(exchange);
    markLayer(stream, exchange);
    watchStream(stream, isClosed);
    this.#requests++;
    if (this.#open.size === 1) this.#busy();
    return exchange;
  }

  /** A request whose handler may have run before we came. Its times begin now. */
  #resume(stream: ServerHttp2Stream): void {
    const { safetyLimits } = this.connection.manager;
    const exchange = this.#take(stream, stream.closed);
    exchange.hasTimeout = true;
    hearStreamErrors(stream);
    if (!stream.endAfterHeaders && !stream.readableEnded) {
      const head = http2HeadOf(stream);
      // Without its head nobody knows whether it is a conversation, as of gRPC.
      const isLimited = head !== undefined && judgeHead(0, head, safetyLimits).bodyIsLimited;
      exchange.receive(isLimited ? safetyLimits.maxRequestBodyLength : Infinity);
    }
    this.hasten(exchange.deadline);
  }

  /** It speaks HTTP/2. */
  settingsAcknowledged(): void {
    if (!this.#shakesHands) return;
    this.#shakesHands = false;
    this.#handshakeBy = Infinity;
    const { connection } = this;
    if (this.#open.size === 0) {
      connection.enter("idle", plan.idle);
      return;
    }
    connection.enter("handling", plan.response);
    for (const exchange of this.#open) this.hasten(exchange.deadline);
  }

  /** There was no stream, and now there is one. Until the handshake is over its deadline stays in force. */
  #busy(): void {
    const { connection } = this;
    if (connection.phase === "handshaking") connection.enter("idle");
    connection.enter("handling", this.#shakesHands ? undefined : plan.response);
  }

  /** The last open stream has ended. */
  #quiet(): void {
    const { connection } = this;
    // A session that ends all its streams is about to tell of its own end.
    if (connection.closeReason !== null || this.#session?.destroyed === true) return;
    if (connection.shouldClose) this.#leave();
    if (this.#leaving || this.#session?.closed === true) {
      this.#leaving = true;
      connection.enter("sending", plan.sending);
      // http2 ends the socket when its last frames are out; this is for the case that it does not.
      connection.timer.reset(connection.manager.safetyLimits.lingerTimeout);
    } else connection.enter("idle", this.#shakesHands ? undefined : plan.idle);
  }

  /** No event tells of a head before it is whole. But nghttp2 knows of its stream: GOAWAY would say that it may have been served. */
  get #hasHalfAHead(): boolean {
    return !this.#shakesHands && this.#session !== null && newestOf(this.#session) > this.#newest;
  }

  /** Tells the client which stream was the last that is served. */
  #leave(): void {
    if (this.#leaving || this.#session === null) return;
    this.#leaving = true;
    this.#session.close();
  }

  /** http2 has written all that it had to, and ended the socket. */
  #finished(): void {
    const { connection } = this;
    if (connection.closeReason !== null) return;
    if (connection.endsSoon) connection.finish();
    else connection.end(this.#news?.clientHasLeft === true ? "client-ended" : "completed");
  }

  /** All bytes sent so far, with those of TLS. */
  get #sent(): number {
    return ((this.connection.rawOutput as Socket | null) ?? (this.connection.output as Socket)).bytesWritten;
  }

  get #queued(): number {
    const { output, rawOutput } = this.connection;
    return handleQueue(rawOutput ?? output);
  }

  /** Bytes that wait in the streams. */
  get #waiting(): number {
    let bytes = 0;
    for (const { stream } of this.#open) bytes += waitingIn(stream);
    return bytes;
  }

  #countReset(): void {
    const { connection } = this;
    const { clock } = connection.manager.timers;
    if (this.#resets.add(1, clock.now())) return;
    // Not from within a callback of nghttp2.
    setImmediate(() => {
      if (connection.mayCut("abuse", "maxStreamResets", null)) connection.end("abuse", "maxStreamResets");
    });
  }
}

/** The newest stream of which nghttp2 has seen the beginning of a head. */
function newestOf(session: ServerHttp2Session): number {
  return session.state.lastProcStreamID ?? 0;
}
