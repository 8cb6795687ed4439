// A net.Socket without a handle: what the client sends a server reads, and what the server writes comes to `received`.
// Everything of Node's that is JavaScript runs as it does on a network, and no system call hides what a guard costs.
import { Buffer } from "node:buffer";
import { Socket } from "node:net";

export class MemorySocket extends Socket {
  #received;
  #ended;
  #sent = 0;
  #taken = 0;

  /** @param received called with what the server writes, as text or as bytes. @param ended called when the server ends. */
  constructor(received, ended) {
    super({ allowHalfOpen: true });
    this.#received = received;
    this.#ended = ended;
  }

  get bytesRead() {
    return this.#sent;
  }

  get bytesWritten() {
    return this.#taken;
  }

  /** The client sends something. */
  send(bytes) {
    this.#sent += bytes.length;
    this._unrefTimer();
    this.push(bytes);
  }

  /** The client says FIN. */
  leave() {
    this.push(null);
    this.read(0);
  }

  _read() {}

  _write(chunk, encoding, done) {
    this._unrefTimer();
    this.#taken += chunk.length;
    done();
    this.#received(chunk);
  }

  _writev(chunks, done) {
    this._unrefTimer();
    const pieces = chunks.map(({ chunk }) => chunk);
    const all = typeof pieces[0] === "string" ? pieces.join("") : Buffer.concat(pieces);
    this.#taken += all.length;
    done();
    this.#received(all);
  }

  _final(done) {
    done();
    this.#ended();
  }
}
