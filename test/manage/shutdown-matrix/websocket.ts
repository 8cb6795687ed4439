/** Just enough of RFC 6455 for a server that accepts, and a client that knows what it sees. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { TcpClient } from "../../support/tcp-client.ts";
import { muchMoreThanFits } from "./scene.ts";
import type { Scene } from "./scene.ts";

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export const closeOpcode = 8;
export const textOpcode = 1;
const key = "dGhlIHNhbXBsZSBub25jZQ==";
const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * The server's side, as a program writes it that knows nothing of a manager: it greets, answers "big" with too much for a
 * client that does not read, and ends when the client says goodbye.
 */
export function accept(request: IncomingMessage, socket: Socket, scene: Scene): void {
  const digest = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${magic}`).digest("base64");
  socket.on("error", () => {});
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${digest}\r\n\r\n`,
  );
  socket.write(frame(textOpcode, Buffer.from("hello")));
  socket.on("data", (data: Buffer) => {
    if (opcodeOf(data) === closeOpcode) socket.end();
    else if (data.toString("latin1").endsWith("big")) socket.write(longFrame(textOpcode, muchMoreThanFits));
  });
  scene.begun++;
}

/** Opens a WebSocket on a connection. */
export async function open(client: TcpClient): Promise<void> {
  client.write(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  await client.gets(/^HTTP\/1.1 101 [^]*hello$/);
}

/** The frames that a client has received, each whole and of less than 126 bytes. */
export function framesOf({ received }: TcpClient): Frame[] {
  const bytes = Buffer.from(received.slice(received.indexOf("\r\n\r\n") + 4), "latin1");
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt8(at + 1);
    frames.push({ opcode: opcodeOf(bytes.subarray(at)), payload: bytes.subarray(at + 2, at + 2 + length) });
    at += 2 + length;
  }
  return frames;
}

/** A client's frame is masked; the mask of zeros leaves the payload as it is. */
export function maskedFrame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

function opcodeOf(frame: Buffer): number {
  return frame.readUInt8(0) & 0x0f;
}

function frame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, payload.length]), payload]);
}

function longFrame(opcode: number, payload: Buffer): Buffer {
  const head = Buffer.from([0x80 | opcode, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}
