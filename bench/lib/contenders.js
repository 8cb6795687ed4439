// The servers that are compared: node:http, or node:http2, with one handler, bare and under each guard. A contender gives
// { server, stop }: a server that does not listen yet, and how its guard ends it within `grace` milliseconds.
import { createServer } from "node:http";
import process from "node:process";

export const grace = 5000;

/** What node:http has to end a server, bounded. */
function closeOf(server) {
  return () => {
    server.close();
    server.closeIdleConnections?.();
    setTimeout(() => server.closeAllConnections?.(), grace);
  };
}

function bare(handler, { makeServer = createServer } = {}) {
  const server = makeServer(handler);
  return { server, stop: closeOf(server) };
}

/** With every limit of `makeSafetyLimits()`, less those given. */
async function manage(handler, { makeServer = createServer, safetyLimits = {} } = {}) {
  const portreeve = await import("../../dist/index.js");
  const server = makeServer(handler);
  const managed = portreeve.manage(server, { safetyLimits: portreeve.makeSafetyLimits(safetyLimits) });
  return { server, stop: () => managed.drain({ grace }) };
}

/** What programs write by hand: the connection's own timeout, and a timer for each phase of a request. */
function naive(handler, { makeServer = createServer } = {}) {
  const server = makeServer((request, response) => {
    const exchange = request.stream ?? request.socket;
    const cut = () => exchange.destroy();
    let timer = setTimeout(cut, 60_000);
    request.once("end", () => {
      clearTimeout(timer);
      timer = setTimeout(cut, 60_000);
    });
    response.once("close", () => clearTimeout(timer));
    handler(request, response);
  });
  server.on(makeServer === createServer ? "connection" : "session", (connection) => {
    connection.setTimeout(75_000);
    connection.on("timeout", () => connection.destroy());
  });
  return { server, stop: closeOf(server) };
}

async function stoppable(handler) {
  const { default: makeStoppable } = await import("stoppable");
  const server = makeStoppable(createServer(handler), grace);
  return { server, stop: () => server.stop() };
}

async function terminus(handler) {
  const { createTerminus } = await import("@godaddy/terminus");
  const server = createServer(handler);
  // The last step of its shutdown would end the process.
  createTerminus(server, { timeout: grace, signal: "SIGUSR2", onShutdown: () => new Promise(() => {}) });
  return { server, stop: () => process.kill(process.pid, "SIGUSR2") };
}

async function httpTerminator(handler) {
  const { createHttpTerminator } = await import("http-terminator");
  const server = createServer(handler);
  const terminator = createHttpTerminator({ server, gracefulTerminationTimeout: grace });
  return { server, stop: () => terminator.terminate() };
}

async function httpGracefulShutdown(handler) {
  const { default: gracefulShutdown } = await import("http-graceful-shutdown");
  const server = createServer(handler);
  return { server, stop: gracefulShutdown(server, { timeout: grace, forceExit: false, signals: "" }) };
}

async function fastify(handler) {
  const { default: makeFastify } = await import("fastify");
  const app = makeFastify();
  app.get("/*", (request, reply) => {
    reply.hijack();
    handler(request.raw, reply.raw);
  });
  await app.ready();
  return { server: app.server, stop: () => app.close() };
}

export const contenders = {
  bare,
  manage,
  "naive guard": naive,
  stoppable,
  terminus,
  "http-terminator": httpTerminator,
  "http-graceful-shutdown": httpGracefulShutdown,
  fastify,
};

/** The contender of this name; "bare again" is the same as "bare". */
export function contender(name, ...given) {
  return contenders[name.replace(/ again$/, "")](...given);
}
