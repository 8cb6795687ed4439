/**
 * Each public function with input that is wrong: the documented effect, or a TypeError or RangeError (or an error of
 * Portreeve) with a code, and nothing half done.
 */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import * as custodians from "../src/custodian/index.ts";
import * as portreeve from "../src/index.ts";
import * as testing from "../src/testing/index.ts";
import * as timers from "../src/timers/index.ts";
import { makePortPair } from "../src/testing/index.ts";

type Call = () => unknown;

/** What is no object of Portreeve. */
const strangers: readonly unknown[] = [
  undefined,
  null,
  0,
  -1,
  Number.NaN,
  Infinity,
  10n,
  "",
  "text",
  true,
  Symbol("symbol"),
  [],
  {},
  () => {},
  new Map(),
  Object.create(null),
  Promise.resolve(),
];
const isFunction = (value: unknown): boolean => typeof value === "function";
const notFunctions = strangers.filter((value) => !isFunction(value));
const notBooleans = strangers.filter((value) => typeof value !== "boolean");
const notDurations: readonly unknown[] = [
  ...strangers.filter((value) => typeof value !== "number"),
  Number.NaN,
  -1,
  -Infinity,
  "5",
  "5 sec",
  "-5s",
  "1e3ms",
  `${"9".repeat(400)}s`,
];
const notSizes: readonly unknown[] = [
  ...strangers.filter((value) => typeof value !== "number"),
  Number.NaN,
  -1,
  0.5,
  2 ** 60,
  "5 kb",
  "0.3 B",
];
const notOptions = [null, 0, "text", true, [], Symbol("s"), () => {}];

function makeConnection(): portreeve.Connection {
  const { server, client } = makePortPair();
  client.on("error", () => {});
  return portreeve.newConnection(
    portreeve.startConnectionManager(),
    server,
    server,
    portreeve.makeCustodian(null),
    false,
  );
}

function shutDown(): portreeve.Custodian {
  const custodian = portreeve.makeCustodian(null);
  void custodian.shutdownAll();
  return custodian;
}

const manager = portreeve.startConnectionManager();
const timerManager = timers.startTimerManager();
const custodian = portreeve.makeCustodian(null);
const timer = timers.startTimer(timerManager, "1h", () => {});
const handlers = { readRequest: () => null, dispatch: () => {} };
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what it pretends to give
const unsafe = <T>(value: unknown): T => value as T;
const port = (): testing.MemoryPort => {
  const { server, client } = makePortPair();
  client.on("error", () => {});
  return server;
};
const destroyed = (): PassThrough => new PassThrough().on("error", () => {}).destroy();
const locked = (): ReadableStream => {
  const stream = new ReadableStream();
  stream.getReader();
  return stream;
};
const over = (values: readonly unknown[], call: (value: never) => unknown): Call[] =>
  values.map((value) => () => call(value as never));

/** By the name of the function: calls that must all fail. */
const rejected: Readonly<Record<string, readonly Call[]>> = {
  startConnectionManager: [
    ...over(notOptions, (value) => portreeve.startConnectionManager(value)),
    ...over([0, "x", null, [], { nonsense: 1 }], (safetyLimits) => portreeve.startConnectionManager({ safetyLimits })),
    ...over(notFunctions.slice(1), (onError) => portreeve.startConnectionManager({ onError })),
    ...over([null, 0, {}, Date], (clock) => portreeve.startConnectionManager({ clock })),
    () => portreeve.startConnectionManager(unsafe({ unknown: 1 })),
  ],
  newConnection: [
    ...over(strangers, (value) => portreeve.newConnection(value, port(), port(), custodian, false)),
    ...over(strangers, (value) => portreeve.newConnection(manager, value, port(), custodian, false)),
    ...over(strangers, (value) => portreeve.newConnection(manager, port(), value, custodian, false)),
    ...over(strangers, (value) => portreeve.newConnection(manager, port(), port(), value, false)),
    ...over(notBooleans, (value) => portreeve.newConnection(manager, port(), port(), custodian, value)),
    ...over(notDurations, (value) => portreeve.newConnection(manager, value, port(), port(), custodian, false)),
    () => portreeve.newConnection(manager, destroyed(), port(), custodian, false),
    () => portreeve.newConnection(manager, port(), destroyed(), custodian, false),
    () => portreeve.newConnection(manager, locked(), port(), custodian, false),
    () => portreeve.newConnection(manager, port(), port(), shutDown(), false),
    () => unsafe<() => unknown>(portreeve.newConnection)(),
  ],
  killConnection: [
    ...over(strangers, (value) => portreeve.killConnection(value)),
    ...over(["", "no reason", 0, null, {}, "toString"], (reason) => portreeve.killConnection(makeConnection(), reason)),
  ],
  adjustConnectionTimeout: [
    ...over(strangers, (value) => portreeve.adjustConnectionTimeout(value, 1)),
    ...over([undefined, null, Number.NaN, -Infinity, "5", {}, 5n], (ms) =>
      portreeve.adjustConnectionTimeout(makeConnection(), ms),
    ),
  ],
  resetConnectionTimeout: [
    ...over(strangers, (value) => portreeve.resetConnectionTimeout(value, 1)),
    ...over(notDurations, (ms) => portreeve.resetConnectionTimeout(makeConnection(), ms)),
  ],
  "connection.shouldClose": over(notBooleans, (value) => (makeConnection().shouldClose = value)),
  "connection.reader": [
    ...over(notSizes.slice(1), (max) => makeConnection().reader.line(max)),
    ...over([...notSizes, Infinity], (count) => makeConnection().reader.bytes(count)),
    ...over([undefined, null, 0, "", {}, [], new Uint8Array()], (delimiter) =>
      makeConnection().reader.until(delimiter),
    ),
    ...over(notSizes.slice(1), (max) => makeConnection().reader.until("|", max)),
  ],
  makeSafetyLimits: [
    ...over(notOptions, (value) => portreeve.makeSafetyLimits(value)),
    ...over([0, -1, 1.5, Number.NaN, "many", null, {}], (maxConcurrent) =>
      portreeve.makeSafetyLimits({ maxConcurrent }),
    ),
    ...over(notDurations.slice(1), (idleTimeout) => portreeve.makeSafetyLimits({ idleTimeout })),
    ...over([Infinity, -1, "Infinity", "1 MiB/s"], (minSendRate) => portreeve.makeSafetyLimits({ minSendRate })),
    ...over([Infinity, -1], (lingerTimeout) => portreeve.makeSafetyLimits({ lingerTimeout })),
    () => portreeve.makeSafetyLimits(unsafe({ maxconcurrent: 1 })),
  ],
  makeUnlimitedSafetyLimits: over(notOptions, (value) => portreeve.makeUnlimitedSafetyLimits(value)),
  makeCustodian: [
    ...over(
      strangers.filter((value) => value !== undefined && value !== null),
      (value) => portreeve.makeCustodian(value),
    ),
    ...over(notOptions, (value) => portreeve.makeCustodian(null, value)),
    ...over([0, null, {}], (name) => portreeve.makeCustodian(null, { name })),
    ...over([...notDurations.slice(1), Infinity], (finalizerTimeout) =>
      portreeve.makeCustodian(null, { finalizerTimeout }),
    ),
    () => portreeve.makeCustodian(shutDown()),
  ],
  "custodian.use": [
    ...over(
      strangers.filter((value) => !isFunction(value)),
      (value) => custodian.use(value),
    ),
    () => custodian.use(custodian),
    () => shutDown().use(new PassThrough().on("error", () => {})),
  ],
  "custodian.adopt": [
    ...over(notFunctions, (shutdown) => custodian.adopt({}, shutdown)),
    () => shutDown().adopt({}, () => {}),
  ],
  "custodian.defer": [...over(notFunctions, (fn) => custodian.defer(fn)), () => shutDown().defer(() => {})],
  "custodian.setTimeout": [
    ...over(notFunctions, (fn) => custodian.setTimeout(fn, 1)),
    ...over(notDurations, (ms) => custodian.setTimeout(() => {}, ms)),
    () => shutDown().setTimeout(() => {}, 1),
  ],
  "custodian.moveTo": [...over(strangers, (value) => custodian.moveTo(value)), () => custodian.moveTo(custodian)],
  "custodian.run": over(notFunctions, (fn) => custodian.run(fn)),
  "custodian.charge": over([undefined, null, "5", Number.NaN, Infinity, 0.5], (bytes) => custodian.charge(bytes)),
  collectEvents: over([0, "text", null, {}, [0], [null]], (names) => testing.collectEvents(names)),
  currentCustodian: [() => custodians.currentCustodian()],
  custodianShutdownAll: over(strangers, (value) => custodians.custodianShutdownAll(value)),
  isCustodianShutDown: over(strangers, (value) => custodians.isCustodianShutDown(value)),
  custodianManagedList: [
    ...over(strangers, (value) => custodians.custodianManagedList(value, custodian)),
    ...over(strangers, (value) => custodians.custodianManagedList(custodian, value)),
    () => custodians.custodianManagedList(custodian, portreeve.makeCustodian(null)),
  ],
  makeCustodianBox: [
    ...over(strangers, (value) => custodians.makeCustodianBox(value, 1)),
    () => custodians.makeCustodianBox(shutDown(), 1),
  ],
  custodianBoxValue: over(strangers, (value) => custodians.custodianBoxValue(value)),
  custodianLimitMemory: [
    ...over(strangers, (value) => custodians.custodianLimitMemory(value, 1)),
    ...over(notSizes, (bytes) => custodians.custodianLimitMemory(custodian, bytes)),
    ...over(strangers.slice(1), (stop) => custodians.custodianLimitMemory(custodian, 1, stop)),
  ],
  traceLeaks: [
    ...over(notOptions, (value) => custodians.traceLeaks(value)),
    ...over(notDurations.slice(1), (after) => custodians.traceLeaks({ after })),
    ...over(notFunctions.slice(1), (onLeak) => custodians.traceLeaks({ onLeak })),
  ],
  startTimerManager: [
    ...over(notOptions, (value) => timers.startTimerManager(value)),
    ...over([...notDurations.slice(1), 0, 0.5, Infinity], (resolution) => timers.startTimerManager({ resolution })),
    ...over([null, 0, {}], (clock) => timers.startTimerManager({ clock })),
  ],
  startTimer: [
    ...over(strangers, (value) => timers.startTimer(value, 1, () => {})),
    ...over(notDurations, (ms) => timers.startTimer(timerManager, ms, () => {})),
    ...over(notFunctions, (action) => timers.startTimer(timerManager, 1, action)),
  ],
  resetTimer: [
    ...over(strangers, (value) => timers.resetTimer(value, 1)),
    ...over(notDurations, (ms) => timers.resetTimer(timer, ms)),
  ],
  incrementTimer: [
    ...over(strangers, (value) => timers.incrementTimer(value, 1)),
    ...over([undefined, null, Number.NaN, -Infinity, "5", {}, 5n], (ms) => timers.incrementTimer(timer, ms)),
  ],
  reviseTimer: [
    ...over(strangers, (value) => timers.reviseTimer(value, 1, () => {})),
    ...over(notDurations, (ms) => timers.reviseTimer(timer, ms, () => {})),
    ...over(notFunctions, (action) => timers.reviseTimer(timer, 1, action)),
  ],
  cancelTimer: over(strangers, (value) => timers.cancelTimer(value)),
  serve: [
    ...over([undefined, ...notOptions, {}], (value) => portreeve.serve<string>(value)),
    ...over(notFunctions, (readRequest) => portreeve.serve({ ...handlers, readRequest })),
    ...over(notFunctions, (dispatch) => portreeve.serve({ ...handlers, dispatch })),
    ...over(notFunctions.slice(1), (portsToRealPorts) => portreeve.serve({ ...handlers, portsToRealPorts })),
    ...over(notFunctions.slice(1), (onError) => portreeve.serve({ ...handlers, onError })),
    ...over(notBooleans.slice(1), (asyncContext) => portreeve.serve({ ...handlers, asyncContext })),
    ...over([-1, 65_536, Number.NaN, "http", {}], (listenPort) => portreeve.serve({ ...handlers, port: listenPort })),
    ...over([null, 0, "x"], (options) => portreeve.serve({ ...handlers, port: 0, tls: options })),
    ...over([0, null, { nonsense: 1 }, { maxFormDataFields: 3 }], (safetyLimits) =>
      portreeve.serve({ ...handlers, port: 0, safetyLimits }),
    ),
    () => portreeve.serve(unsafe<portreeve.ServeOptions<string>>({ ...handlers, prot: 80 })),
    () => portreeve.serve({ ...handlers, port: 0, host: "no such host.invalid" }),
    () => portreeve.serve({ ...handlers, port: 0, tls: { cert: "nonsense", key: "nonsense" } }),
    () => portreeve.serve(handlers),
  ],
  manage: [
    ...over(strangers, (value) => portreeve.manage(value)),
    ...over([...notOptions, { safetyLimits: 5 }, { onDrain: 5 }, { clock: {} }, { observeOnly: 1 }], (value) =>
      portreeve.manage(createServer(), value),
    ),
    () => portreeve.manage([]),
  ],
  enforcedLimits: over(strangers, (value) => portreeve.enforcedLimits(value)),
  healthHandler: over(strangers, (value) => portreeve.healthHandler(value)),
  requestOf: over(strangers, (value) => portreeve.requestOf(value)),
  custodianOf: over(strangers, (value) => portreeve.custodianOf(value)),
  servePorts: [
    ...over(strangers, (value) => portreeve.servePorts(value, port(), handlers)),
    ...over(strangers, (value) => portreeve.servePorts(port(), value, handlers)),
    ...over([undefined, ...notOptions, {}], (value) => portreeve.servePorts(port(), port(), value)),
    ...over(notFunctions, (readRequest) => portreeve.servePorts(port(), port(), { ...handlers, readRequest })),
    () => portreeve.servePorts(destroyed(), port(), handlers),
  ],
  "ManualClock.advance": over([...notDurations, Infinity], (ms) => new testing.ManualClock().advance(ms)),
  "ManualClock.stall": over([...notDurations, Infinity], (ms) => new testing.ManualClock().stall(ms)),
};

/** Those that take anything and answer. */
const predicates: Readonly<Record<string, (value: unknown) => unknown>> = {
  isConnection: portreeve.isConnection,
  isConnectionManager: portreeve.isConnectionManager,
  isSafetyLimits: portreeve.isSafetyLimits,
  isCustodian: custodians.isCustodian,
  isTimer: timers.isTimer,
  isTimerManager: timers.isTimerManager,
};

for (const [name, calls] of Object.entries(rejected)) {
  test(`${name} answers wrong input with an error that has a code`, async () => {
    for (const [i, call] of calls.entries()) {
      let error: unknown;
      try {
        await call();
      } catch (thrown) {
        error = thrown;
      }
      const what = `${name}, call ${i}: ${call.toString()}`;
      assert.ok(error instanceof Error, `${what} did not fail`);
      const { code } = error as NodeJS.ErrnoException;
      assert.equal(typeof code, "string", `${what} failed with ${error.stack}`);
      if (!code?.startsWith("ERR_PORTREEVE_")) {
        assert.ok(
          code?.startsWith("ERR_") === true || error instanceof TypeError || error instanceof RangeError,
          error.stack,
        );
      }
    }
    assert.equal(manager.connections.size, 0);
    assert.deepEqual(custodian.managedList(), []);
  });
}

for (const [name, predicate] of Object.entries(predicates)) {
  test(`${name} is false for strangers, and never throws`, () => {
    for (const value of strangers) assert.equal(predicate(value), false);
  });
}

test("connectionOf gives undefined for what belongs to no connection", () => {
  for (const value of strangers) assert.equal(portreeve.connectionOf(value), undefined);
});

test("every function that the package exports is in this table", () => {
  const tested = new Set([...Object.keys(rejected), ...Object.keys(predicates), "connectionOf", "makePortPair"]);
  for (const exported of [portreeve, timers, custodians, testing]) {
    for (const [name, value] of Object.entries(exported)) {
      if (!isFunction(value) || /^[A-Z]/.test(name)) continue;
      assert.ok(tested.has(name), `${name} is not`);
    }
  }
});

test("huge and tiny values that are allowed have their documented effect", () => {
  const connection = makeConnection();
  assert.equal(connection.resetTimeout(Number.MAX_VALUE), true);
  assert.equal(connection.adjustTimeout(-Number.MAX_VALUE), true);
  assert.equal(connection.resetTimeout("100000d"), true);
  assert.equal(connection.adjustTimeout(Infinity), true);
  assert.equal(connection.adjustTimeout(-1e300), true);
  assert.equal(connection.timer.deadline, Infinity);
  assert.equal(connection.resetTimeout(Number.MIN_VALUE), true);
  connection.kill();
});
