/** The same program twice, by the API of streams of node:http2 and by that of compatibility: answers in many ways, by the path. */
import type {
  Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  ServerHttp2Session,
  ServerHttp2Stream,
} from "node:http2";
import { join } from "node:path";
import { projectRoot } from "../../support/paths.ts";

type Way = (stream: ServerHttp2Stream) => void;

/** What has to do with the stream or its session, by either API. */
const commonWays = (held: Release[]): Readonly<Record<string, Way>> => ({
  file: (stream) => stream.respondWithFile(join(projectRoot, "LICENSE")),
  cancelled: (stream) => stream.close(8),
  destroyed: (stream) => void stream.destroy(),
  broken: (stream) => void stream.destroy(new Error("of the program")),
  half(stream) {
    stream.respond();
    stream.write("half", () => stream.destroy());
  },
  push(stream) {
    if (stream.pushAllowed)
      stream.pushStream({ ":path": "/pushed" }, (_error, pushed) => pushed.respond() ?? pushed.end("pushed"));
    answer(stream, "pushing");
  },
  goodbye(stream) {
    stream.session?.close();
    answer(stream, "goodbye");
    setImmediate(() => release(held));
  },
  warning(stream) {
    stream.session?.goaway(0, stream.id);
    answer(stream, "warning");
    setImmediate(() => release(held));
  },
  end: (stream) => stream.session?.destroy(),
  fail: (stream) => stream.session?.destroy(undefined, 2),
  session(stream) {
    const session = stream.session as ServerHttp2Session;
    session.settings({ maxConcurrentStreams: 7 });
    session.altsvc('h2=":8000"', stream.id ?? 0);
    session.origin("https://x");
    answer(stream, "session");
  },
});

/** A bare server throws at whoever answers a stream that its client has left. */
function answer(stream: ServerHttp2Stream, text: string): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond();
  stream.end(text);
}

/** Answers that are held back. */
type Release = () => void;

function release(held: Release[]): void {
  for (const answer of held.splice(0)) answer();
}

export function streaming(server: Http2Server): void {
  const held: Release[] = [];
  const ways: Readonly<Record<string, Way>> = {
    ...commonWays(held),
    "": (stream) => answer(stream, "hello"),
    empty: (stream) => stream.respond({ ":status": 204 }, { endStream: true }),
    same: (stream) => stream.respond({ ":status": 304, etag: "x" }, { endStream: true }),
    pieces(stream) {
      stream.respond();
      stream.write("one,");
      setImmediate(() => stream.end("two"));
    },
    trailers(stream) {
      stream.respond({}, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "4" })).end("body");
    },
    hints(stream) {
      stream.additionalHeaders({ ":status": 103, link: "</style.css>" });
      answer(stream, "after hints");
    },
    echo(stream) {
      let body = "";
      stream.setEncoding("latin1").on("data", (text: string) => (body += text));
      stream.on("trailers", (fields) => (body += JSON.stringify(fields)));
      stream.on("end", () => answer(stream, body));
    },
    early: (stream) => answer(stream, "early"),
    much: (stream) => answer(stream, "much".repeat(40_000)),
    held: (stream) => void held.push(() => answer(stream, "held")),
    release(stream) {
      release(held);
      answer(stream, "released");
    },
  };
  server.on("release", () => release(held));
  server.on("stream", (stream, headers) => {
    const way = ways[(headers[":path"] ?? "").slice(1)];
    if (way === undefined) stream.respond({ ":status": 404 }, { endStream: true });
    else way(stream);
  });
}

export function compatible(server: Http2Server): void {
  const held: Release[] = [];
  const common = commonWays(held);
  const ways: Readonly<Record<string, (response: Http2ServerResponse, request: Http2ServerRequest) => void>> = {
    "": (response) => void response.end("hello"),
    empty: (response) => void response.writeHead(204).end(),
    same: (response) => void response.writeHead(304, { etag: "x" }).end(),
    pieces(response) {
      response.write("one,");
      setImmediate(() => response.end("two"));
    },
    trailers(response) {
      response.addTrailers({ "x-sum": "4" });
      response.end("body");
    },
    hints(response) {
      response.writeEarlyHints({ link: "</style.css>" });
      response.end("after hints");
    },
    echo(response, request) {
      let body = "";
      request.setEncoding("latin1").on("data", (text: string) => (body += text));
      request.on("end", () => response.end(body + JSON.stringify(request.trailers)));
    },
    early: (response) => void response.end("early"),
    much: (response) => void response.end("much".repeat(40_000)),
    held: (response) => void held.push(() => response.end("held")),
    release(response) {
      release(held);
      response.end("released");
    },
  };
  server.on("release", () => release(held));
  server.on("request", (request, response) => {
    const name = request.url.slice(1);
    const way = ways[name];
    if (way !== undefined) way(response, request);
    else if (common[name] === undefined) response.writeHead(404).end();
    else common[name](response.stream);
  });
}
