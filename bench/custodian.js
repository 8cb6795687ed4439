// Custodians: Portreeve's beside a Set of sockets and AsyncDisposableStack.
//
// Method. All contenders run in one process, one after the other, seven times round; figures are medians over the
// rounds, and ratios are taken within a round first. A round is 30 passes over 1 000 sockets, and its figure is the
// median pass. In a pass every socket gets an owner, then every owner is told to end, then every socket says 'close'; the
// three are timed by themselves. The sockets are real ones without a handle whose destroy does nothing, so that Node's
// own work is in no figure. The Set is what programs write by hand: it adds the socket, drops it at 'close', and
// destroys what is left; it bounds nothing, reports nothing and cannot be awaited. "again" is the same code a second
// time: how far it is from the first (A/A) is what differences mean nothing. A batch of owners stays alive all the time,
// as in a server, because otherwise a collection forgets the code that was compiled for them.
import { Socket } from "node:net";
import process from "node:process";
import { makeCustodian } from "../dist/custodian/index.js";
import { Report, flags } from "./lib/report.js";
import { interleave, middle, ratio } from "./lib/rounds.js";
import { median } from "./lib/statistics.js";

const { json, quick } = flags();
const report = new Report("custodian", { json });
const rounds = 7;
const passes = quick ? 10 : 30;
const size = 1000;

/** A socket whose end costs nothing by itself: it says 'close' when the benchmark makes it. */
class Stub extends Socket {
  destroy() {
    return this;
  }
}

const root = makeCustodian(null);

const set = {
  make(socket) {
    const sockets = new Set();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    return sockets;
  },
  end(sockets) {
    for (const socket of sockets) socket.destroy();
  },
};

const custodian = {
  make(socket) {
    const owner = root.child();
    owner.use(socket);
    return owner;
  },
  end(owner) {
    void owner.shutdownAll("done");
  },
};

const contenders = { "a Set": set, "a Set again": set, portreeve: custodian, "portreeve again": custodian };
const alive = new Map();

/** Nanoseconds an owner. */
function pass(name) {
  const { make, end } = contenders[name];
  const sockets = Array.from({ length: size }, () => new Stub());
  const owners = Array.from({ length: size }, () => null);
  const begin = performance.now();
  for (let i = 0; i < size; i++) owners[i] = make(sockets[i]);
  const made = performance.now();
  for (let i = 0; i < size; i++) end(owners[i]);
  const told = performance.now();
  for (let i = 0; i < size; i++) sockets[i].emit("close");
  const closed = performance.now();
  alive.set(name, owners);
  const [filling, telling, closing, all] = [made - begin, told - made, closed - told, closed - begin].map(
    (ms) => (ms * 1e6) / size,
  );
  return { filling, telling, closing, all };
}

function round(name) {
  const results = Array.from({ length: passes }, () => pass(name));
  const pick = (step) => median(results.map((result) => result[step]));
  return { filling: pick("filling"), telling: pick("telling"), closing: pick("closing"), all: pick("all") };
}

for (let warmUp = 0; warmUp < 60; warmUp++) for (const name of Object.keys(contenders)) pass(name);
const results = await interleave(Object.keys(contenders), rounds, round);
const steps = ["filling", "telling", "closing", "all"];
report.table("one socket (ns)", ["make, use", "shut down", "'close'", "in all"]);
for (const name of Object.keys(contenders)) {
  const figures = steps.map((step) => ({
    figure: `one socket, ${step}: ${name}`,
    value: middle(results, name, (result) => result[step]),
  }));
  report.row(name, figures, "ns");
}
const none = { figure: "", value: Number.NaN };
const inAll = (figure, name, other) => [
  none,
  none,
  none,
  { figure: `one socket: ${figure}`, value: ratio(results, name, ({ all }) => all, other) },
];
report.row("portreeve / a Set", inAll("portreeve / a Set", "portreeve", "a Set"), "x", 2);
report.row("A/A: a Set", inAll("a Set again / a Set", "a Set again", "a Set"), "x");
report.row("A/A: portreeve", inAll("portreeve again / portreeve", "portreeve again", "portreeve"), "x");

// What a stack of disposables can do as well: take a value with its closer, and be awaited.
const Stack = globalThis.AsyncDisposableStack;
const ends = () => undefined;

async function awaitCustodians() {
  for (let i = 0; i < size; i++) {
    const owner = root.child();
    owner.adopt(i, ends);
    await owner.shutdownAll("done");
  }
}

async function awaitStacks() {
  for (let i = 0; i < size; i++) {
    const stack = new Stack();
    stack.adopt(i, ends);
    await stack.disposeAsync();
  }
}

const awaited = new Map([
  ["portreeve", awaitCustodians],
  ["portreeve again", awaitCustodians],
]);
if (Stack !== undefined) awaited.set("AsyncDisposableStack", awaitStacks);

async function awaitedRound(name) {
  const run = awaited.get(name);
  const times = [];
  for (let i = 0; i < passes; i++) {
    const begin = performance.now();
    await run();
    times.push(((performance.now() - begin) * 1e6) / size);
  }
  return median(times);
}

const same = (value) => value;
for (const name of awaited.keys()) await awaitedRound(name);
const stacks = await interleave([...awaited.keys()], rounds, awaitedRound);
report.table("make, adopt one value, await the end", ["ns"]);
for (const name of awaited.keys()) {
  report.row(name, [{ figure: `adopted and awaited: ${name}`, value: middle(stacks, name, same) }], "ns");
}
if (Stack === undefined) report.say("  this Node has no AsyncDisposableStack");
else {
  const value = ratio(stacks, "portreeve", same, "AsyncDisposableStack");
  report.row("portreeve / stack", [{ figure: "adopted and awaited: portreeve / AsyncDisposableStack", value }], "x");
}

function used() {
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

/** Bytes of heap an owner, with all that hangs on it. */
function heap(make) {
  const sockets = Array.from({ length: 20_000 }, () => new Stub());
  const owners = Array.from({ length: sockets.length }, () => null);
  const before = used();
  for (let i = 0; i < owners.length; i++) owners[i] = make(sockets[i]);
  // The sockets are counted in both, and so must be alive in both.
  return (used() - before) / Math.min(owners.length, sockets.length);
}

const heaps = new Map([
  ["a custodian, empty", () => heap(() => root.child())],
  ["a custodian with one socket", () => heap((socket) => custodian.make(socket))],
  ["a Set with one socket", () => heap((socket) => set.make(socket))],
]);
const bytes = await interleave([...heaps.keys()], rounds, (name) => heaps.get(name)());
report.table("heap", ["bytes"]);
const goals = [200, 400];
for (const [i, name] of [...heaps.keys()].entries()) {
  report.row(name, [{ figure: `heap: ${name}`, value: middle(bytes, name, same) }], "bytes", goals[i]);
}
report.end();
