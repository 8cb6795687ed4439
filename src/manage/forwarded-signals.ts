/**
 * Signals that `portreeve run` hands on, on a pipe: one name a line. A signal to the whole process group reaches us and
 * our parent, and only the two counts together tell it from two.
 */
import { Socket } from "node:net";
import { signalDescriptorVariable } from "./settings.ts";
import type { ForwardedSignal, SignalGate } from "./signals.ts";

const known: readonly string[] = ["SIGTERM", "SIGINT", "SIGHUP"] satisfies ForwardedSignal[];

/** Listens where the environment names a pipe, and keeps no process alive. The children of this process are not told. */
export function listenForForwarded(gate: SignalGate): void {
  const fd = Number(process.env[signalDescriptorVariable] || Number.NaN);
  delete process.env[signalDescriptorVariable];
  if (Number.isNaN(fd)) return;
  // systemd names the process that is to take its sockets, and knew only our parent.
  if (process.env["LISTEN_PID"] === String(process.ppid)) process.env["LISTEN_PID"] = String(process.pid);
  gate.expectForwarded();
  let rest = "";
  new Socket({ fd, readable: true, writable: false })
    .unref()
    .setEncoding("latin1")
    .on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (known.includes(line)) gate.forward(line as ForwardedSignal);
    })
    // Our parent was killed.
    .on("end", () => gate.orphaned())
    .on("error", () => gate.orphaned());
}
