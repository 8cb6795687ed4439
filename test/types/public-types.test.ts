import { readFileSync } from "node:fs";
import { Duplex } from "node:stream";
import type { Readable, Writable } from "node:stream";
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { expectTypeOf } from "expect-type";
import { killConnection, makeSafetyLimits, newConnection, serve, servePorts, startConnectionManager } from "portreeve";
import type {
  CloseReason,
  Connection,
  ConnectionManager,
  Custodian,
  Duration,
  InputPort,
  OutputPort,
  RunningServer,
  SafetyLimits,
  SafetyLimitsOptions,
  ServeOptions,
} from "portreeve";
import { makeCustodianBox } from "portreeve/custodian";
import { cancelTimer, isTimer, startTimer } from "portreeve/timers";
import type { Timer, TimerManager } from "portreeve/timers";
import { root } from "../support/run-script.ts";

// The compiler proves these; to run them proves nothing, and so they are never called.
export function proofs(manager: ConnectionManager, connection: Connection, custodian: Custodian, duplex: Duplex): void {
  // newConnection has two forms, as in Racket.
  expectTypeOf(newConnection).toBeCallableWith(manager, duplex, duplex, custodian, false);
  expectTypeOf(newConnection).toBeCallableWith(manager, "5s", duplex, duplex, custodian, true);
  expectTypeOf(newConnection).toBeCallableWith(
    manager,
    5000,
    new ReadableStream(),
    new WritableStream(),
    custodian,
    true,
  );
  expectTypeOf(newConnection(manager, duplex, duplex, custodian, false)).toEqualTypeOf<Connection>();
  // @ts-expect-error the manager comes first
  newConnection(duplex, duplex, custodian, false);
  // @ts-expect-error a timeout is no boolean
  newConnection(manager, true, duplex, duplex, custodian, false);
  // @ts-expect-error shouldClose is not left out
  newConnection(manager, duplex, duplex, custodian);

  // The fields of a connection are those of Racket's struct.
  expectTypeOf(connection.timer).toEqualTypeOf<Timer<Connection>>();
  expectTypeOf(connection.input).toEqualTypeOf<Readable>();
  expectTypeOf(connection.output).toEqualTypeOf<Writable>();
  expectTypeOf(connection.custodian).toEqualTypeOf<Custodian>();
  expectTypeOf(connection.shouldClose).toEqualTypeOf<boolean>();
  expectTypeOf(connection.closed).toEqualTypeOf<Promise<CloseReason>>();
  connection.shouldClose = true;
  // @ts-expect-error only shouldClose is written
  connection.custodian = custodian;
  // @ts-expect-error a reason is one of the words
  killConnection(connection, "bored");

  // A request is what readRequest reads, down to dispatch, without being named.
  void serve({
    port: 0,
    readRequest: async () => ({ request: { verb: "GET", size: 1 }, close: false }),
    dispatch: (client, request) => {
      expectTypeOf(client).toEqualTypeOf<Connection>();
      expectTypeOf(request).toEqualTypeOf<{ verb: string; size: number }>();
    },
  });
  void servePorts(duplex, duplex, {
    readRequest: ({ reader }) => reader.line().then((line) => (line === null ? null : { request: line, close: true })),
    dispatch: (_, request) => expectTypeOf(request).toEqualTypeOf<string>(),
  });
  expectTypeOf(serve<string>)
    .parameter(0)
    .toEqualTypeOf<ServeOptions<string>>();
  expectTypeOf(serve<string>).returns.resolves.toEqualTypeOf<RunningServer>();
  // @ts-expect-error dispatch is not left out
  void serve({ port: 0, readRequest: () => null });
  // @ts-expect-error an unknown option
  void serve({ port: 0, readRequest: () => null, dispatch: () => undefined, timeout: 10 });

  // Limits take text and refuse what they do not know.
  expectTypeOf({
    responseTimeout: "30s",
    maxRequestBodyLength: "1 MiB",
    maxConcurrent: 5,
  }).toExtend<SafetyLimitsOptions>();
  expectTypeOf({ shutdownGracePeriod: null, minSendRate: 240 }).toExtend<SafetyLimitsOptions>();
  expectTypeOf({ minSendRate: { bytesPerSecond: "1 kB", grace: "5s" } }).toExtend<SafetyLimitsOptions>();
  expectTypeOf({ maxStreamResets: { count: 10, per: "30s" } }).toExtend<SafetyLimitsOptions>();
  expectTypeOf({ responseTimeout: null }).not.toExtend<SafetyLimitsOptions>();
  expectTypeOf(makeSafetyLimits({ responseTimeout: "30s" })).toEqualTypeOf<SafetyLimits>();
  expectTypeOf<SafetyLimits["responseTimeout"]>().toEqualTypeOf<number>();
  expectTypeOf<SafetyLimits>().toExtend<SafetyLimitsOptions>();
  // @ts-expect-error an unknown limit
  makeSafetyLimits({ maxConections: 1 });
  // @ts-expect-error an unknown limit, deep inside
  startConnectionManager({ safetyLimits: { idle: "30s" } });
  // @ts-expect-error limits are frozen
  makeSafetyLimits().maxConcurrent = 1;

  // Ports are Node's streams or the Web's.
  expectTypeOf<InputPort>().toEqualTypeOf<Readable | ReadableStream>();
  expectTypeOf<OutputPort>().toEqualTypeOf<Writable | WritableStream>();
  expectTypeOf<Duration>().toEqualTypeOf<number | string>();

  // Owners and boxes keep the type of what is put into them; timers carry their subject.
  expectTypeOf(custodian.use(duplex)).toEqualTypeOf<Duplex>();
  expectTypeOf(custodian.adopt(5, (value) => expectTypeOf(value).toEqualTypeOf<number>())).toEqualTypeOf<number>();
  expectTypeOf(makeCustodianBox(custodian, "x").value).toEqualTypeOf<string | null>();
  expectTypeOf(custodian.run(async () => 5)).toEqualTypeOf<Promise<number>>();
  const timers = connection.timer.manager;
  expectTypeOf(timers).toEqualTypeOf<TimerManager>();
  expectTypeOf(startTimer(timers, "1s", () => undefined)).toEqualTypeOf<Timer>();
  expectTypeOf(timers.start(1, (who: Connection) => who.kill(), connection)).toEqualTypeOf<Timer<Connection>>();
  const found: unknown = timers;
  if (isTimer(found)) expectTypeOf(found.deadline).toEqualTypeOf<number>();
  cancelTimer(connection.timer);
}

/** The declarations that a user's compiler reads, by following the imports of every public entry. */
function publicDeclarations(): Map<string, string> {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, { types: string } | string>;
  };
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    const text = withoutComments(readFileSync(path, "utf8"));
    found.set(path, text);
    for (const [, specifier] of text.matchAll(/from\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/g)) {
      if (specifier !== undefined) visit(join(dirname(path), specifier.replace(/\.[jt]s$/, ".d.ts")));
    }
  };
  for (const entry of Object.values(exports)) if (typeof entry === "object") visit(join(root, entry.types));
  return found;
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, "");
}

function mentionsAny(declarations: string): boolean {
  return /\bany\b/.test(declarations.replaceAll(/"[^"\n]*"/g, '""'));
}

test("no public declaration says any", () => {
  const declarations = publicDeclarations();
  assert.ok(declarations.size > 10);
  assert.deepEqual(
    [...declarations].filter(([, text]) => mentionsAny(text)).map(([path]) => path),
    [],
  );
});

test("an any in a declaration would be found", () => {
  assert.ok(mentionsAny("export declare function f(x: any): void;"));
  assert.ok(mentionsAny("x: Map<string, any>"));
  assert.ok(!mentionsAny(withoutComments(`/** any */ x: "any"; company: number; // any`)));
});

test("no public declaration needs a package that users may not have", () => {
  const packages = new Set<string>();
  for (const text of publicDeclarations().values()) {
    for (const [, specifier = ""] of text.matchAll(/from\s+"([^".][^"]*)"/g)) packages.add(specifier);
  }
  assert.deepEqual(
    [...packages].filter((name) => !name.startsWith("node:")),
    [],
  );
});
