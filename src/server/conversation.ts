/**
 * The conversation of the dispatch server with one client: read, set `shouldClose`, dispatch, again. The deadlines are
 * those of connection/deadline-plan.ts.
 */
import type { Socket } from "node:net";
import { ArgumentTypeError, ReaderLimitError, UnexpectedEndError } from "../core/errors.ts";
import { isThenable, toError } from "../core/report.ts";
import type { Connection } from "../connection/connection.ts";
import { plan } from "../connection/deadline-plan.ts";
import { isAftermath, isDeparture } from "../connection/ports.ts";

/** Where a request comes from. */
export interface RequestSource {
  /** The port that the server listens on; 0 for none. */
  readonly port: number;
  readonly addresses: Addresses;
}

/** Undefined for ports that are no sockets. */
export interface Addresses {
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
}

export interface ReadResult<Request> {
  request: Request;
  /** Whether the connection ends after this request. */
  close: boolean;
}

/** Reads one request; null when the client has ended. */
export type ReadRequest<Request> = (
  connection: Connection,
  source: RequestSource,
) => ReadResult<Request> | null | Promise<ReadResult<Request> | null>;

/** Answers one request, on `connection.output`. */
export type Dispatch<Request> = (connection: Connection, request: Request) => unknown;

export interface Handlers<Request> {
  readonly readRequest: ReadRequest<Request>;
  readonly dispatch: Dispatch<Request>;
}

/** Talks until the connection ends. Settles when the program's work has, and never rejects. */
export async function converse<Request>(
  connection: Connection,
  source: RequestSource,
  handlers: Handlers<Request>,
): Promise<void> {
  let backpressure: Backpressure | null = null;
  try {
    for (let first = true; ; first = false) {
      const { reader } = connection;
      reader.startRequest();
      if (!first) connection.enter("idle", plan.idle);
      if (!reader.engaged && (!first || connection.raw !== null)) {
        // A program that reads the input by itself shows us no first byte: then we wait for it, and leave it there. The
        // deadline of the first request runs already.
        await reader.wait();
        if (connection.input.readableLength > 0) connection.bytesArrived();
      }
      const read =
        connection.closeReason === null ? checkRead(connection, await handlers.readRequest(connection, source)) : null;
      if (read === null) {
        connection.end("client-ended");
        return;
      }
      connection.shouldClose = read.close || connection.endsSoon;
      connection.enter("handling", plan.response);
      try {
        const dispatched = handlers.dispatch(connection, read.request);
        if (isThenable(dispatched)) await dispatched;
      } catch (error) {
        fail(connection, error, "handler-error");
      }
      if (connection.closeReason !== null) return;
      if (connection.output.writableNeedDrain) await (backpressure ??= new Backpressure(connection)).untilTaken();
      // A drain lets requests that have arrived already be answered too.
      const more = connection.endsSoon && !read.close && connection.unreadBytes > 0;
      if (connection.shouldClose && !more) {
        connection.finish();
        return;
      }
    }
  } catch (error) {
    fail(connection, error, "protocol-error");
  }
}

/** What the program has read: null when there is nobody left to answer. */
function checkRead<Request>(connection: Connection, read: ReadResult<Request> | null): ReadResult<Request> | null {
  if (connection.closeReason !== null || read === null) return null;
  if (typeof read !== "object" || typeof read.close !== "boolean") {
    throw new ArgumentTypeError("readRequest", "it to give { request, close: boolean } or null", read);
  }
  return read;
}

/**
 * Backpressure: nothing more is read from a client that does not take what is written to it. One for all waits of a
 * conversation, because whoever asks to be told of the end is kept until then.
 */
class Backpressure {
  readonly #connection: Connection;
  #goOn: (() => void) | null = null;

  constructor(connection: Connection) {
    this.#connection = connection;
    void connection.closed.then(() => this.#goOn?.());
  }

  /** Resolves when the output has been taken, or the connection has closed. */
  untilTaken(): Promise<void> {
    const connection = this.#connection;
    connection.enter("sending", plan.sending);
    return new Promise((resolve) => {
      this.#goOn = resolve;
      connection.output.once("drain", () => resolve());
    });
  }
}

/** Ends this connection, and no other. What clients do by leaving is nobody's error. */
function fail(connection: Connection, thrown: unknown, reason: "handler-error" | "protocol-error"): void {
  if (connection.closeReason !== null) {
    if (!isAftermath(thrown)) connection.manager.fail(toError(thrown), connection);
  } else if (thrown instanceof UnexpectedEndError) connection.end("client-ended");
  // Something else that the program talks to may have gone away, too.
  else if (isDeparture(thrown) && (connection.input.destroyed || connection.output.destroyed)) {
    connection.end("client-reset");
  } else {
    connection.manager.fail(toError(thrown), connection);
    connection.end(thrown instanceof ReaderLimitError ? "protocol-error" : reason);
  }
}

/** Looked up when asked for: each is a system call. */
class SocketAddresses implements Addresses {
  readonly #socket: Partial<Socket>;

  constructor(socket: Partial<Socket>) {
    this.#socket = socket;
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }
}

export function addressesOf(port: unknown): Addresses {
  return new SocketAddresses(port as Partial<Socket>);
}
