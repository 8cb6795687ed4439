/**
 * The sockets that a server had accepted before we came, checked against its own count.
 */
import type { Server, Socket } from "node:net";
import { openSocketsOf } from "../core/node-internals.ts";
import { warn } from "../core/report.ts";

/**
 * What can be found. Where it is not all, a process warning says how many are missing: those become connections when
 * they next say something that an event of the server tells of.
 */
export function openSockets(server: Server): readonly Socket[] {
  if (!server.listening) return [];
  // Those that are being destroyed are counted no more.
  const found = (openSocketsOf(server) ?? []).filter(({ destroyed }) => !destroyed);
  // The count is taken now, and told later.
  server.getConnections((error, count) => {
    if (error !== null || count === found.length) return;
    warn(
      new Error(
        `${count} connections were open when their server was put under a manager, and ${found.length} could be found; ` +
          "the others have no owner and no deadline before their next request",
      ),
      "PortreeveConnectionWarning",
    );
  });
  return found;
}
