/**
 * Which kinds of server there are, and what each speaks.
 */
import type { Server as HttpServer } from "node:http";
import type { Http2SecureServer, Http2Server } from "node:http2";
import type { Server as HttpsServer } from "node:https";
import { Server as NetServer } from "node:net";
import type { Server as TlsServer } from "node:tls";
import { isHttp2Server, isHttpServer, isHttpsServer, isTlsServer } from "../core/node-modules.ts";
import type { SafetyLimitName, SafetyLimits } from "../limits/safety-limits.ts";
import { enforcedOnForms } from "../protocols/form-data/enforced.ts";
import { enforcedByHttp1, http1 } from "../protocols/http1/http1.ts";
import { stricterLimits } from "../protocols/http1/node-settings.ts";
import { allowsHttp1, enforcedByHttp2, http2, negotiated } from "../protocols/http2/http2.ts";
import { enforcedByNet, net } from "../protocols/net/net.ts";
import type { Protocol } from "../protocols/protocol.ts";
import { enforcedByTls, tls } from "../protocols/tls/tls.ts";
import { enforcedByListeners } from "./listener.ts";

export const serverKinds = ["net", "tls", "http", "https", "http2", "http2-secure"] as const;
export type ServerKind = (typeof serverKinds)[number];

/** What a server speaks, and within which limits. */
export interface Speech {
  readonly protocol: Protocol;
  readonly limits: SafetyLimits;
}

/** The kind of a server, or undefined for what is none. */
export function kindOf(server: unknown): ServerKind | undefined {
  if (!(server instanceof NetServer)) return undefined;
  if (isHttpServer(server)) return "http";
  if (isHttpsServer(server)) return "https";
  const isSecure = isTlsServer(server);
  if (isHttp2Server(server)) return isSecure ? "http2-secure" : "http2";
  return isSecure ? "tls" : "net";
}

/** The limits that are enforced on the connections of a kind of server. */
export function limitsOn(kind: ServerKind): readonly SafetyLimitName[] {
  const isSecure = kind === "tls" || kind === "https" || kind === "http2-secure";
  return [...new Set([...enforcedByListeners, ...(isSecure ? enforcedByTls : []), ...enforcedAbove(kind)])];
}

function enforcedAbove(kind: ServerKind): readonly SafetyLimitName[] {
  if (kind === "net" || kind === "tls") return enforcedByNet;
  if (kind === "http" || kind === "https") return [...enforcedByHttp1, ...enforcedOnForms];
  // A secure server may speak HTTP/1.1, too.
  return [...enforcedByHttp2, ...(kind === "http2" ? [] : enforcedByHttp1), ...enforcedOnForms];
}

/**
 * What a server of a kind speaks. What the program made stricter on the server stays as strict: as a limit of ours, or where
 * limits only observe, by Node's own hand.
 */
export function speechOf(server: NetServer, kind: ServerKind, limits: SafetyLimits, observeOnly: boolean): Speech {
  if (kind === "net") return { protocol: net(), limits };
  if (kind === "tls") return { protocol: tls(server as TlsServer, net()), limits };
  if (kind === "http2") return { protocol: http2(server as Http2Server, limits, observeOnly), limits };
  if (kind === "http2-secure") return speechOfSecureHttp2(server as Http2SecureServer, limits, observeOnly);
  const strict = observeOnly ? limits : stricterLimits(server as HttpServer, limits);
  const web = http1(server as HttpServer, strict, observeOnly);
  return { protocol: kind === "https" ? tls(server as HttpsServer, web) : web, limits: strict };
}

function speechOfSecureHttp2(server: Http2SecureServer, limits: SafetyLimits, observeOnly: boolean): Speech {
  const strict = !observeOnly && allowsHttp1(server) ? stricterLimits(server, limits) : limits;
  return { protocol: tls(server, negotiated(server, strict, observeOnly)), limits: strict };
}
