/** What the kernel of this machine holds of TCP sockets, whatever the processes believe. Linux only. */
import { createReadStream, existsSync, readFileSync } from "node:fs";

/** The states of the kernel's own table that matter here. */
export type KernelState = "established" | "fin-wait" | "close-wait" | "time-wait" | "other";

export interface KernelSocket {
  readonly local: number;
  readonly remote: number;
  readonly state: KernelState;
  /** Bytes that the other side has not acknowledged. */
  readonly unsent: number;
}

const table = "/proc/net/tcp";

/** Why a test that asks the kernel is skipped here, or false where it can be asked. */
export const kernelIsMute: string | false = existsSync(table) ? false : `needs ${table}`;

/** Waits for longer than a server does that asks the kernel at the same time: it reads in the same way, and twice. */
export async function kernelAnswers(): Promise<void> {
  if (kernelIsMute !== false) return;
  for (let i = 0; i < 2; i++) await createReadStream(table, "latin1").toArray();
}

const states: Readonly<Record<string, KernelState>> = {
  "01": "established",
  "04": "fin-wait",
  "05": "fin-wait",
  "06": "time-wait",
  "08": "close-wait",
};

/** The sockets between two ports of this machine, of both sides. */
export function socketsBetween(one: number, other: number): KernelSocket[] {
  return readFileSync(table, "utf8")
    .split("\n")
    .slice(1)
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, local = "", remote = "", state = "", queues = ""] = line.trim().split(/\s+/);
      return {
        local: portOf(local),
        remote: portOf(remote),
        state: states[state] ?? "other",
        unsent: Number.parseInt(queues, 16),
      };
    })
    .filter(({ local, remote }) => (local === one && remote === other) || (local === other && remote === one));
}

/** What came of the client's side of a connection that its server has ended: FIN leaves it half open, RST leaves nothing. */
export function seenByClient(clientPort: number, serverPort: number): "FIN" | "RST" | "open" {
  const state = socketsBetween(clientPort, serverPort).find(({ local }) => local === clientPort)?.state;
  if (state === "established") return "open";
  return state === "close-wait" ? "FIN" : "RST";
}

function portOf(address: string): number {
  return Number.parseInt(address.slice(address.indexOf(":") + 1), 16);
}
