// A socket without a network: what is pushed into it a server reads, and what the server writes comes to `received`.
// It does what net.Socket does around its handle (the idle timer, the counts of bytes) and makes no system call, so that
// what a guard costs is not lost in what the kernel costs.
import { Socket } from "node:net";
import { Duplex } from "node:stream";

export class MemorySocket extends Duplex {
  bytesRead = 0;
  bytesWritten = 0;
  remoteAddress = "127.0.0.1";
  remotePort = 1;
  remoteFamily = "IPv4";
  timeout = 0;
  _parent = null;
  #received;
  #ended;

  /** @param received called with each piece that the server writes. @param ended called when the server ends. */
  constructor(received, ended) {
    super({ allowHalfOpen: true, autoDestroy: true, decodeStrings: false });
    this.#received = received;
    this.#ended = ended;
    this.on("end", onEnd);
  }

  /** The client sends something. */
  send(bytes) {
    this.bytesRead += bytes.length;
    this._unrefTimer();
    this.push(bytes);
  }

  /** The client says FIN. */
  leave() {
    this.push(null);
  }

  _read() {}

  _write(chunk, encoding, done) {
    this._unrefTimer();
    this.bytesWritten += chunk.length;
    done();
    this.#received(this, chunk);
  }

  _writev(chunks, done) {
    this._unrefTimer();
    let all = "";
    for (const { chunk } of chunks) all += chunk;
    this.bytesWritten += all.length;
    done();
    this.#received(this, all);
  }

  _final(done) {
    done();
    this.#ended(this);
  }

  _onTimeout() {
    this.emit("timeout");
  }

  destroySoon() {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", this.destroy);
  }

  setNoDelay() {
    return this;
  }

  setKeepAlive() {
    return this;
  }
}

MemorySocket.prototype.setTimeout = Socket.prototype.setTimeout;
MemorySocket.prototype._unrefTimer = Socket.prototype._unrefTimer;

/** As net.Socket does for a server that did not ask for half-open sockets; node:http does ask, and ends by itself. */
function onEnd() {
  if (!this.allowHalfOpen) this.end();
}
