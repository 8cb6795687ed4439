/**
 * Zero code: `node --import portreeve/register app.js` puts every server of the process under a manager when it begins to
 * listen, and drains them all before SIGTERM or SIGINT takes effect. Set by the environment; docs/zero-code.md.
 *
 * Once a process, whichever copy of this package is first. A worker thread has its servers managed, and no signals.
 */
import cluster from "node:cluster";
import { subscribe } from "node:diagnostics_channel";
import type { ListenOptions, Server } from "node:net";
import { isMainThread } from "node:worker_threads";
import { defineChannel } from "../core/channels.ts";
import { toError } from "../core/report.ts";
import type { DrainReport } from "../server/drain.ts";
import { drainWorkers, hasWorkers, obeyPrimary, watchWorkers } from "./cluster-drain.ts";
import { listenForForwarded } from "./forwarded-signals.ts";
import { ServerGroup } from "./server-group.ts";
import { settingsFrom } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { SignalGate } from "./signals.ts";
import type { StopSignal } from "./signals.ts";

const drainedChannel = defineChannel<{ signal: StopSignal; report: DrainReport }>("portreeve.process.drained");

/** How much longer than a worker may take a primary waits for it, in milliseconds. */
const patience = 1000;

/** What Node tells of every server that begins to listen, listens or cannot. */
function onListen(event: string, act: (message: { server: Server; options: ListenOptions }) => void): void {
  subscribe(`tracing:net.server.listen:${event}`, (message) => act(message as Parameters<typeof act>[0]));
}

function register(settings: Settings): void {
  const group = new ServerGroup(settings);
  // Synchronous in listen(), before the first connection.
  onListen("asyncStart", ({ server, options }) => group.begins(server, options));
  onListen("asyncEnd", ({ server }) => group.listens(server));
  onListen("error", ({ server }) => group.ends(server));
  if (!isMainThread) return;
  if (cluster.isPrimary) watchWorkers();
  else obeyPrimary(() => group.drain());
  const drain = async (signal: StopSignal): Promise<void> => {
    const [report] = await Promise.all([group.drain(), drainWorkers(settings.drainDelay + settings.grace + patience)]);
    if (drainedChannel.hasSubscribers) drainedChannel.publish({ signal, report });
  };
  const gate = new SignalGate({
    hold: (signal) => (group.isEmpty && !hasWorkers() ? null : drain(signal)),
    cut: () => group.close(),
  });
  listenForForwarded(gate);
}

const onceKey = Symbol.for("portreeve.register.v1");
const once = process as { [onceKey]?: true };

if (once[onceKey] !== true) {
  once[onceKey] = true;
  try {
    register(settingsFrom(process.env));
  } catch (error) {
    process.stderr.write(`portreeve: ${toError(error).message}\n`);
    process.exit(2);
  }
}
