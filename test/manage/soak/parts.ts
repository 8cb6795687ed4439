/** All scripts, each on every protocol that it is for. */
import { http1Scripts } from "./http1-scripts.ts";
import { http2Scripts } from "./http2-scripts.ts";
import { serverName } from "./script.ts";
import type { ProtocolName, Script } from "./script.ts";
import { socketScripts } from "./socket-scripts.ts";

export interface Part {
  readonly script: Script;
  readonly protocol: ProtocolName;
  /** The name of its server. */
  readonly server: string;
  /** What it is called in a report. */
  readonly name: string;
}

export const parts: readonly Part[] = [...http1Scripts, ...http2Scripts, ...socketScripts].flatMap((script) =>
  script.protocols.map((protocol) => ({
    script,
    protocol,
    server: serverName(script.group ?? "patient", protocol),
    name: `${protocol}: ${script.name}`,
  })),
);
