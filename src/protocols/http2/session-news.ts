/**
 * What a session tells, heard by listeners of ours beside those of others: an `emit` of our own, or anything else that makes
 * a session larger, shows in the time that each of its streams takes.
 */
import type { ServerHttp2Session } from "node:http2";
import { interceptListener } from "../intercept.ts";
import type { Interception, Listener } from "../intercept.ts";
import type { StreamEvent } from "./stream-event.ts";

export interface SessionListener {
  /** A client has opened a stream. Nobody else hears of it but by `pass`. */
  streamBegan(event: StreamEvent): void;
  /** The client has acknowledged our settings. */
  settingsAcknowledged(): void;
}

export class SessionNews {
  readonly #session: ServerHttp2Session;
  readonly #listener: SessionListener;
  /** Node's own listener, by which the server hears of streams; the first there is. */
  readonly #theirs: Listener | undefined;
  #streams: Interception | null = null;
  /** Whether the client has said that it leaves. */
  clientHasLeft = false;

  /** To be called before the program hears of the session. */
  constructor(session: ServerHttp2Session, listener: SessionListener) {
    this.#session = session;
    this.#listener = listener;
    this.#theirs = session.rawListeners("stream")[0] as Listener | undefined;
  }

  /** To be called when it has heard of it: what it has done to the session's listeners is done. */
  start(): void {
    const listener = this.#listener;
    this.#session.prependListener("localSettings", this.#settings).prependListener("goaway", this.#goaway);
    this.#streams = interceptListener(this.#session, "stream", this.#theirs, (event) =>
      listener.streamBegan(event as StreamEvent),
    );
  }

  /** Tells all others of a stream. */
  pass(event: StreamEvent): void {
    this.#streams?.pass(event);
  }

  letGo(): void {
    this.#session.off("localSettings", this.#settings).off("goaway", this.#goaway);
    this.#streams?.restore();
  }

  readonly #settings = (): void => this.#listener.settingsAcknowledged();

  readonly #goaway = (): void => {
    this.clientHasLeft = true;
  };
}
