/**
 * A client that does exactly what it is told, byte by byte.
 */
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { TestContext } from "node:test";

export class TcpClient {
  readonly socket: Socket;
  /** Everything received, one character a byte. */
  received = "";
  /** Settles when the connection is over: "FIN", or the code of the error. */
  readonly ended: Promise<string>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => (this.received += text));
    this.ended = new Promise((resolve) => {
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on("end", () => resolve("FIN"));
      socket.on("close", () => resolve("closed here"));
    });
  }

  write(data: string | Uint8Array): this {
    if (typeof data === "string") this.socket.write(data, "latin1");
    else this.socket.write(data);
    return this;
  }

  end(): this {
    this.socket.end();
    return this;
  }

  /** Waits until what was received matches. */
  async gets(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.received);
      if (match !== null) return match;
      const event = await Promise.race([once(this.socket, "data"), this.ended]);
      if (typeof event === "string" && !pattern.test(this.received)) {
        throw new Error(
          `the connection is over (${event}) without ${pattern}; received: ${this.received.slice(0, 1000)}`,
        );
      }
    }
  }

  /** Everything, once the connection is over. */
  async all(): Promise<string> {
    await this.ended;
    return this.received;
  }
}

/** Connects to a port of this machine. The connection ends with the test at the latest. */
export async function connectTo(t: TestContext, port: number, host = "127.0.0.1"): Promise<TcpClient> {
  const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return new TcpClient(socket);
}
