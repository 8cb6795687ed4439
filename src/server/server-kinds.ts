/**
 * Which kinds of server there are, and what each speaks.
 */
import { Server as HttpServer } from "node:http";
import { createServer as createHttp2Server, createSecureServer as createHttp2SecureServer } from "node:http2";
import { Server as HttpsServer } from "node:https";
import { Server as NetServer } from "node:net";
import { Server as TlsServer } from "node:tls";
import type { SafetyLimitName, SafetyLimits } from "../limits/safety-limits.ts";
import { enforcedOnForms } from "../protocols/form-data/enforced.ts";
import { enforcedByHttp1, http1 } from "../protocols/http1/http1.ts";
import { stricterLimits } from "../protocols/http1/node-settings.ts";
import { enforcedByNet, net } from "../protocols/net/net.ts";
import type { Protocol } from "../protocols/protocol.ts";
import { enforcedByTls, tls } from "../protocols/tls/tls.ts";
import { enforcedByListeners } from "./listener.ts";

export type ServerKind = "net" | "tls" | "http" | "https" | "http2" | "http2-secure";

/** What a server speaks, and within which limits. */
export interface Speech {
  readonly protocol: Protocol;
  readonly limits: SafetyLimits;
}

/** The kind of a server, or undefined for what is none. */
export function kindOf(server: unknown): ServerKind | undefined {
  if (server instanceof HttpsServer) return "https";
  if (server instanceof HttpServer) return "http";
  if (!(server instanceof NetServer)) return undefined;
  const [http2, secureHttp2] = http2Classes();
  if (server instanceof secureHttp2) return "http2-secure";
  if (server instanceof http2) return "http2";
  return server instanceof TlsServer ? "tls" : "net";
}

/** node:http2 exports none of its classes. */
function http2Classes(): readonly [Class, Class] {
  classes ??= [createHttp2Server(), createHttp2SecureServer()].map(({ constructor }) => constructor) as [Class, Class];
  return classes;
}

type Class = abstract new () => unknown;
let classes: [Class, Class] | undefined;

/** The limits that are enforced on the connections of a kind of server. */
export function limitsOn(kind: ServerKind): readonly SafetyLimitName[] {
  const above = kind === "net" || kind === "tls" ? enforcedByNet : [...enforcedByHttp1, ...enforcedOnForms];
  const isSecure = kind === "tls" || kind === "https" || kind === "http2-secure";
  return [...enforcedByListeners, ...(isSecure ? enforcedByTls : []), ...above];
}

/** What a server of a kind speaks. What the program made stricter on the server stays as strict. */
export function speechOf(server: NetServer, kind: ServerKind, limits: SafetyLimits): Speech {
  if (kind === "net") return { protocol: net(), limits };
  if (kind === "tls") return { protocol: tls(server as TlsServer, net()), limits };
  if (kind === "http2" || kind === "http2-secure") throw new Error("HTTP/2 comes next");
  const strict = stricterLimits(server as HttpServer, limits);
  const web = http1(server as HttpServer, strict);
  return { protocol: kind === "https" ? tls(server as HttpsServer, web) : web, limits: strict };
}
