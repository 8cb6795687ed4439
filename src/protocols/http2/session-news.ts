/**
 * What a session tells, heard by listeners of ours beside those of others: an `emit` of our own, or anything else that makes
 * a session larger, shows in the time that each of its streams takes.
 */
import type { ServerHttp2Session } from "node:http2";
import { interceptListener } from "../intercept.ts";
import type { Interception } from "../intercept.ts";
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
  readonly #settings: () => void;
  readonly #goaway: () => void;
  #streams: Interception | null = null;
  /** Whether the client has said that it leaves. */
  clientHasLeft = false;

  constructor(session: ServerHttp2Session, listener: SessionListener) {
    this.#session = session;
    this.#listener = listener;
    this.#settings = () => listener.settingsAcknowledged();
    this.#goaway = () => (this.clientHasLeft = true);
    session.on("localSettings", this.#settings).on("goaway", this.#goaway);
  }

  /** To be called when the program has heard of the session, and the listeners of its own are there. */
  takeStreams(): void {
    const listener = this.#listener;
    this.#streams = interceptListener(this.#session, "stream", (event) => listener.streamBegan(event as StreamEvent));
  }

  /** Tells all others of a stream. */
  pass(event: StreamEvent): void {
    this.#streams?.pass(event);
  }

  letGo(): void {
    this.#session.off("localSettings", this.#settings).off("goaway", this.#goaway);
    this.#streams?.restore();
  }
}
