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
import { systemClock } from "../core/clock.ts";
import { toError } from "../core/report.ts";
import type { DrainReport } from "../server/drain.ts";
import { drainWorkers, hasWorkers, obeyPrimary, releaseWorkers, watchWorkers } from "./cluster-drain.ts";
import { listenForForwarded } from "./forwarded-signals.ts";
import { ServerGroup } from "./server-group.ts";
import { settingsFrom } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { SignalGate } from "./signals.ts";
import type { StopSignal } from "./signals.ts";

const drainedChannel = defineChannel<{ signal: StopSignal; report: DrainReport }>("portreeve.process.drained");
/** A second signal has ended every connection. */
const cutChannel = defineChannel<{ signal: StopSignal }>("portreeve.process.cut");

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
  onListen("error", ({ server }) => group.fails(server));
  if (!isMainThread) return;
  const primary = cluster.isPrimary ? null : obeyPrimary((signal) => drain(signal));
  if (primary === null) watchWorkers();
  let drained: Promise<void> | null = null;
  const drain = (signal: StopSignal): Promise<void> => (drained ??= drainAll(group, signal, settings));
  const leave = (): Promise<void> | void => (primary === null ? releaseWorkers() : primary.mayLeave());
  const gate = new SignalGate({
    hold: (signal) => (group.isEmpty && !hasWorkers() && primary?.decides !== true ? null : drain(signal).then(leave)),
    cut(signal) {
      group.close();
      releaseWorkers();
      if (cutChannel.hasSubscribers) cutChannel.publish({ signal });
    },
  });
  listenForForwarded(gate);
}

/** The servers of this process and, in the primary of a cluster, its workers. */
async function drainAll(group: ServerGroup, signal: StopSignal, { drainDelay, grace }: Settings): Promise<void> {
  const begun = systemClock.now();
  const isIdle = group.isEmpty && !hasWorkers();
  const [report] = await Promise.all([group.drain(), drainWorkers(signal, drainDelay + grace + patience)]);
  if (isIdle || !drainedChannel.hasSubscribers) return;
  const duration = Math.max(report.duration, systemClock.now() - begun);
  drainedChannel.publish({ signal, report: { ...report, duration } });
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
