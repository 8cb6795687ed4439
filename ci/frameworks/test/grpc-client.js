// A client of apps/grpc.js.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const proto = fileURLToPath(new URL("../apps/echo.proto", import.meta.url));
const { Echo } = grpc.loadPackageDefinition(loader.loadSync(proto));

/** A client on a connection of its own. Closed with the test. */
export function makeEcho(t, port) {
  const echo = new Echo(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  t.after(() => echo.close());
  return echo;
}

/** What a call without streams is answered. */
export const call = (echo, method, text) => promisify(echo[method].bind(echo))({ text }).then((answer) => answer.text);

/** Sends a message on a stream and waits for its echo. */
export async function chat(stream, text) {
  stream.write({ text });
  const [answer] = await once(stream, "data");
  return answer.text;
}
