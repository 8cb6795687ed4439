import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { ask, kinds, openSession, settle, startWeb, until } from "./web.ts";
import type { Streamer } from "./web.ts";

/** Given to a server whose streams are served by the listeners of its sessions. */
const nothing: Streamer = () => {};

const ok = (stream: ServerHttp2Stream): void => {
  stream.respond({ ":status": 200 });
  stream.end("ok");
};

for (const kind of kinds) {
  test(`${kind}: streams that a program takes from its sessions are served, refused and answered with 500 as any others`, async (t) => {
    const heard: (string | undefined)[] = [];
    const web = await startWeb(t, kind, nothing, { limits: { maxRequestHeaderLength: 100 } });
    web.server.on("session", (session: ServerHttp2Session) => {
      session.on("stream", (stream, { ":path": path }) => {
        heard.push(path);
        if (path === "/bad") throw new Error("a handler's fault");
        ok(stream);
      });
    });
    const client = await web.client();
    assert.deepEqual(await ask(client, { ":path": "/good" }).answered, { status: 200, body: "ok", code: 0 });
    assert.equal((await ask(client, { ":path": "/long", "x-long": "x".repeat(100) }).answered).status, 431);
    assert.equal((await ask(client, { ":path": "/bad" }).answered).status, 500);
    assert.deepEqual(heard, ["/good", "/bad"], "what is refused is not told");
    assert.deepEqual(
      web.errors.map(({ message }) => message),
      ["a handler's fault"],
    );
  });

  test(`${kind}: a listener that a session is given later hears of its streams, and each has its deadline`, async (t) => {
    let given: ServerHttp2Stream | undefined;
    const web = await startWeb(t, kind, nothing);
    let session: ServerHttp2Session | undefined;
    web.server.on("session", (one: ServerHttp2Session) => (session = one));
    const client = await web.client();
    session?.on("stream", (stream: ServerHttp2Stream) => (given = stream));
    const asked = ask(client);
    await until(() => given !== undefined);
    await web.pass(60_000);
    assert.equal((await asked.answered).status, 503);
    assert.deepEqual(web.cuts(), ["response-timeout by responseTimeout while handling"]);
  });

  test(`${kind}: a session has its listeners back after detach, in their order`, async (t) => {
    const web = await startWeb(t, kind, ok);
    let session: ServerHttp2Session | undefined;
    let bare: Record<string, unknown[]> = {};
    const listeners = (one: ServerHttp2Session): Record<string, unknown[]> =>
      Object.fromEntries(["stream", "localSettings", "goaway"].map((name) => [name, one.rawListeners(name)]));
    web.server.prependListener("session", (one: ServerHttp2Session) => {
      session = one;
      bare = listeners(one);
    });
    const client = await web.client();
    assert.ok(session !== undefined);
    const later = (): void => {};
    session.on("stream", later);
    web.managed.detach();
    const { stream = [] } = bare;
    assert.equal(stream.length, 1);
    assert.deepEqual(listeners(session), { stream: [...stream, later], localSettings: [], goaway: [] });
    assert.deepEqual(await ask(client).answered, { status: 200, body: "ok", code: 0 });
    client.close();
  });

  test(`${kind}: a timeout that a program gives its stream goes off`, async (t) => {
    const web = await startWeb(t, kind, (stream) => {
      stream.setTimeout(5, () => ok(stream));
    });
    const client = await web.client();
    assert.equal((await ask(client).answered).body, "ok");
  });

  test(`${kind}: a program that gives its server back when it hears of a session is left alone`, async (t) => {
    const late: ServerHttp2Stream[] = [];
    const web = await startWeb(t, kind, (stream) => late.push(stream));
    web.server.on("session", () => web.managed.detach());
    const client = await openSession(t, kind, web.port);
    const asked = ask(client);
    await until(() => late.length === 1);
    await web.pass(60_000);
    for (const stream of late) ok(stream);
    assert.deepEqual(await asked.answered, { status: 200, body: "ok", code: 0 });
    client.destroy();
  });

  test(`${kind}: a program that puts listeners of its own in place of all that a session has is served, and can take them back`, async (t) => {
    const web = await startWeb(t, kind, nothing);
    let session: ServerHttp2Session | undefined;
    web.server.on("session", (one: ServerHttp2Session) => {
      session = one.removeAllListeners();
      session.on("stream", ok);
    });
    const client = await web.client();
    assert.equal((await ask(client).answered).body, "ok");
    await until(() => web.connection().phase === "idle");
    session?.off("stream", ok);
    assert.deepEqual(session?.listeners("stream"), []);
    const asked = ask(client);
    await until(() => web.connection().phase === "handling");
    await web.pass(60_000);
    assert.equal((await asked.answered).status, 503);
  });

  test(`${kind}: a stream that somebody destroys with an error before the program hears of it leaves its session idle`, async (t) => {
    const web = await startWeb(t, kind, ok);
    web.server.on("session", (session: ServerHttp2Session) => {
      const { emit } = session;
      session.emit = (event: string | symbol, ...args: unknown[]): boolean => {
        const [stream] = args as [ServerHttp2Stream];
        if (event === "stream") stream.on("error", () => {}).destroy(new Error("not wanted"));
        return Reflect.apply(emit, session, [event, ...args]);
      };
    });
    const client = await web.client();
    const asked = ask(client);
    await asked.answered.catch(() => {});
    await settle();
    assert.equal(web.connection().phase, "idle");
  });
}
