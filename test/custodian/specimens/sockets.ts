/**
 * Sockets, of TCP, TLS and UDP, and servers of TCP.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { TLSSocket } from "node:tls";
import { listening, socketPair } from "../support.ts";
import { fails, serverSpecimen, streamSpecimen } from "./specimen.ts";
import type { Case } from "./specimen.ts";

/** A shared secret instead of certificates. */
export const psk = {
  pskCallback: () => Buffer.from("secret"),
  ciphers: "PSK",
  maxVersion: "TLSv1.2",
  pskIdentityHint: "",
} as const;
export const pskClient = {
  ciphers: "PSK",
  maxVersion: "TLSv1.2",
  checkServerIdentity: () => undefined,
  pskCallback: () => ({ psk: Buffer.from("secret"), identity: "client" }),
} as const;

async function tlsPair(): Promise<{ near: TLSSocket; far: TLSSocket }> {
  const { server, port } = await listening(createTlsServer(psk));
  const accepted = once(server, "secureConnection") as Promise<[TLSSocket]>;
  const near = connectTls({ ...pskClient, host: "127.0.0.1", port });
  const [[far]] = await Promise.all([accepted, once(near, "secureConnect")]);
  server.close();
  return { near, far };
}

export const socketCases: readonly Case[] = [
  {
    what: "a socket",
    kind: "socket",
    async make() {
      const { near, far } = await socketPair();
      return streamSpecimen(near, () => far.destroy());
    },
  },
  {
    what: "a socket that is still connecting",
    kind: "socket",
    async make() {
      const { server, port } = await listening(createServer((socket) => socket.destroy()));
      return streamSpecimen(connect(port, "127.0.0.1"), () => server.close());
    },
  },
  {
    what: "a TLS socket of a client",
    kind: "socket",
    async make() {
      const { near, far } = await tlsPair();
      return streamSpecimen(near, () => far.destroy());
    },
  },
  {
    what: "a TLS socket of a server",
    kind: "socket",
    async make() {
      const { near, far } = await tlsPair();
      near.on("error", () => {});
      return streamSpecimen(far, () => near.destroy());
    },
  },
  {
    what: "a datagram socket",
    kind: "datagram socket",
    async make() {
      const resource = createSocket("udp4").bind(0, "127.0.0.1");
      await once(resource, "listening");
      return {
        resource,
        hasEnded: () => fails(() => resource.address()),
        endByItself: () => once(resource.close(), "close"),
      };
    },
  },
  { what: "a TCP server", kind: "server", make: () => serverSpecimen(createServer()), mute: true },
];
