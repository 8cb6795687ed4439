/**
 * A client of HTTP/2 that says exactly what it is told, frame by frame, and tells what came of its streams. By itself it
 * grants no windows, answers nothing and never ends.
 */
import { once } from "node:events";
import { TcpClient } from "./tcp-client.ts";
import {
  data,
  frameTypes,
  framesIn,
  goaways,
  preface,
  request,
  settings,
  settingsAck,
  statusIn,
} from "./http2-frames.ts";

/** Error codes by their numbers (RFC 9113, section 7). */
const codes = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
] as const;

/** Bodies longer than this are told by their length. */
const longest = 40;

const nameOf = (code: number): string => codes[code] ?? `code ${code}`;

export class FrameClient extends TcpClient {
  /** Everything that a client has to say before it may ask. Our encoder is to use no table, so that `fate` can read statuses. */
  hello(values: Record<number, number> = {}): this {
    return this.write(Buffer.concat([preface, settings({ 1: 0, ...values }), settingsAck]));
  }

  get(stream: number, path: string, headers: Record<string, string> = {}): this {
    return this.write(request(stream, { path, headers }));
  }

  /** The head of a request whose body follows, with as much of it as is given; more is `data`. */
  post(stream: number, path: string, body = "", headers: Record<string, string> = {}): this {
    this.write(request(stream, { path, method: "POST", end: false, headers }));
    return body === "" ? this : this.write(data(stream, body));
  }

  /** What it was told when the session ended, each word once: "last 3, NO_ERROR". */
  get farewells(): string[] {
    const told = goaways(this.#bytes).map((text) => text.replace(/code (\d+)$/, (_, code) => nameOf(Number(code))));
    return [...new Set(told)];
  }

  /** What came of a stream so far: "200 the body, ended", "503, ended, reset NO_ERROR", "reset CANCEL". */
  fate(stream: number): string {
    const words: string[] = [];
    let status: number | undefined;
    let body = "";
    for (const frame of framesIn(this.#bytes)) {
      if (frame.stream !== stream) continue;
      if (frame.type === frameTypes.headers) status ??= statusIn(frame);
      else if (frame.type === frameTypes.data) body += frame.payload.toString("latin1");
      else if (frame.type === frameTypes.reset) words.push(`reset ${nameOf(frame.payload.readUInt32BE(0))}`);
      if ((frame.type === frameTypes.headers || frame.type === frameTypes.data) && (frame.flags & 1) !== 0) {
        words.push("ended");
      }
    }
    const answer = body.length > longest ? `${status} ${body.length} bytes` : `${status ?? ""} ${body}`.trim();
    return [answer, ...words].filter((word) => word !== "").join(", ");
  }

  /** Waits until that has come of a stream. */
  async sees(stream: number, fate: string | RegExp): Promise<void> {
    const isSeen = (): boolean =>
      typeof fate === "string" ? this.fate(stream) === fate : fate.test(this.fate(stream));
    while (!isSeen()) {
      const event = await Promise.race([once(this.socket, "data"), this.ended]);
      if (typeof event === "string" && !isSeen()) {
        throw new Error(`the connection is over (${event}); of stream ${stream} came: ${this.fate(stream)}`);
      }
    }
  }

  /** Waits until a frame of that type has come, or the connection is over. */
  async hears(type: number): Promise<void> {
    let isOver = false;
    void this.ended.then(() => (isOver = true));
    while (!isOver && !framesIn(this.#bytes).some((frame) => frame.type === type)) {
      await Promise.race([once(this.socket, "data"), this.ended]);
    }
  }

  get #bytes(): Buffer {
    return Buffer.from(this.received, "latin1");
  }
}
