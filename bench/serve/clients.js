// The clients of bench/serve/server.js, in a process of their own.
import { connect } from "node:net";
import process from "node:process";

const atOnce = 50;
const message = Buffer.from("a message of sixty-four bytes, which is answered with itself ...");

/** Round trips on connections that stay. */
function echo(port, count) {
  return new Promise((resolve) => {
    let left = count;
    let ended = 0;
    for (let i = 0; i < atOnce; i++) {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => socket.write(message));
      socket.on("data", () => {
        if (left-- > 0) socket.write(message);
        else socket.end();
      });
      socket.on("error", () => {});
      socket.on("close", () => ++ended === atOnce && resolve());
    }
  });
}

/** Connections that are opened and ended. */
function open(port, count) {
  return new Promise((resolve) => {
    let begun = 0;
    let ended = 0;
    const next = () => {
      if (ended === count) resolve();
      if (begun++ >= count) return;
      const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => socket.end());
      socket.on("error", () => {});
      socket.resume();
      socket.on("close", () => {
        ended++;
        next();
      });
    };
    for (let i = 0; i < atOnce; i++) next();
  });
}

process.on("message", async ({ port, work, count }) => {
  await (work === "echo" ? echo : open)(port, count);
  process.send("done");
});
process.on("disconnect", () => process.exit());
