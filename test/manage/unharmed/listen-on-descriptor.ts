/** Run as a process of its own: a server on a descriptor that was opened by another, bare or under a manager. */
import { createServer } from "node:http";
import { makeUnlimitedSafetyLimits, manage } from "../../../src/index.ts";
import { manyWays } from "./servers.ts";

const [which, fd] = process.argv.slice(2);
const server = createServer(manyWays);
if (which === "managed") manage(server, { safetyLimits: makeUnlimitedSafetyLimits() });
server.listen({ fd: Number(fd) }, () => process.stdout.write("listening\n"));
