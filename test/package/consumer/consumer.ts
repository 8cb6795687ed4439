// A program as a user writes it, over every public entry. The package test compiles a copy of it against the packed
// tarball with each TypeScript that is supported.
import { createServer } from "node:http";
import type { Server } from "node:http";
import {
  ArgumentRangeError,
  ArgumentTypeError,
  ConnectionClosedError,
  CustodianShutDownError,
  FinalizerTimeoutError,
  IllegalPhaseError,
  LimitNotEnforcedError,
  ListenError,
  ManagerDisposedError,
  NoCurrentCustodianError,
  NotManagedError,
  ReaderLimitError,
  UnexpectedEndError,
  adjustConnectionTimeout,
  connectionOf,
  custodianOf,
  healthHandler,
  isConnection,
  isConnectionManager,
  isSafetyLimits,
  killConnection,
  makeCustodian,
  makeSafetyLimits,
  makeUnlimitedSafetyLimits,
  manage,
  newConnection,
  requestOf,
  resetConnectionTimeout,
  safetyLimitNames,
  serve,
  servePorts,
  startConnectionManager,
} from "portreeve";
import type {
  CloseReason,
  Connection,
  ConnectionManager,
  DrainReport,
  HealthHandler,
  HealthOptions,
  ManageOptions,
  Managed,
  ManagedRequest,
  Phase,
  RunningServer,
  SafetyLimits,
  SafetyLimitsOptions,
  ServeOptions,
} from "portreeve";
import {
  currentCustodian,
  custodianBoxValue,
  custodianLimitMemory,
  custodianManagedList,
  custodianShutdownAll,
  isCustodian,
  isCustodianShutDown,
  makeCustodianBox,
} from "portreeve/custodian";
import type { Custodian, ShutdownReport } from "portreeve/custodian";
import { FormDataError, FormDataParserError, parseFormData } from "portreeve/form-data";
import type {
  FormDataFile,
  FormDataRequest,
  FormDataStatus,
  FormDataValue,
  ParseFormDataOptions,
  ParsedFormData,
} from "portreeve/form-data";
import "portreeve/register";
import {
  limitValue,
  limitVariable,
  managedLimits,
  settingsFrom,
  signalDescriptorVariable,
  variables,
} from "portreeve/settings";
import type { Settings } from "portreeve/settings";
import { ManualClock, collectEvents, makePortPair } from "portreeve/testing";
import {
  cancelTimer,
  incrementTimer,
  isTimer,
  isTimerManager,
  resetTimer,
  reviseTimer,
  startTimer,
  startTimerManager,
} from "portreeve/timers";
import type { Timer, TimerManager } from "portreeve/timers";

/** The page, verbatim. */
export function page(clock: ManualClock): Connection {
  const safetyLimits: SafetyLimits = makeSafetyLimits({ requestReadTimeout: "10s", maxBufferedBytes: "1 MiB" });
  const manager: ConnectionManager = startConnectionManager({ safetyLimits, clock });
  const { server, client } = makePortPair();
  client.write("hello");
  const connection = newConnection(manager, server, server, makeCustodian(null, { name: "page" }), false);
  newConnection(manager, "5s", makePortPair().server, makePortPair().server, makeCustodian(), true).kill();
  adjustConnectionTimeout(connection, "-5s");
  resetConnectionTimeout(connection, 30_000);
  connection.shouldClose = true;
  killConnection(connection, "killed");
  const known: boolean = isConnection(connection) && isConnectionManager(manager) && isSafetyLimits(safetyLimits);
  const phases: Record<Phase, number> = manager.connections.countByPhase();
  return known && phases.idle >= 0 ? connection : (connectionOf(server) ?? connection);
}

const options: SafetyLimitsOptions = {
  shutdownGracePeriod: null,
  minReceiveRate: { bytesPerSecond: "1 kB", grace: "5s" },
  maxStreamResets: { count: 10, per: "1m" },
};
export const unlimited: SafetyLimits = makeUnlimitedSafetyLimits(options);
export const names: readonly string[] = safetyLimitNames;

/** Probes, and what the environment says. */
export function probes(server: Server): HealthHandler {
  const settings: Settings = settingsFrom({ [variables.grace]: "3s", [limitVariable("idleTimeout")]: "1m" });
  const paths: HealthOptions = { livez: "/alive", readyz: "/ready" };
  console.log(settings.safetyLimits.idleTimeout, managedLimits.length, limitValue("30s"), signalDescriptorVariable);
  return healthHandler(server, paths);
}

/** An echo of lines. */
export async function echo(): Promise<DrainReport> {
  const echoing: ServeOptions<string> = {
    port: 0,
    host: "127.0.0.1",
    readRequest: async (connection) => {
      const line = await connection.reader.line(512);
      return line === null ? null : { request: line, close: line === "quit" };
    },
    dispatch: (connection, line) => connection.output.write(`${line}\n`),
    safetyLimits: { idleTimeout: "30s" },
    onError: (error, connection) => console.error(error.message, connection?.id),
  };
  const server: RunningServer = await serve(echoing);
  console.log(server.port, server.address, server.connections.size);
  return await server.drain({ grace: "1s" });
}

/** One conversation over the standard streams. */
export async function talk(): Promise<CloseReason> {
  return await servePorts(process.stdin, process.stdout, {
    readRequest: async ({ reader }) => {
      const request = await reader.until("\0");
      return request === null ? null : { request, close: false };
    },
    dispatch: ({ output }, request) => output.write(request),
    portsToRealPorts: (input, output) => ({ input, output }),
  });
}

/** Web servers. */
export async function web(): Promise<void> {
  const server: Server = createServer((request, response) => {
    const own: ManagedRequest = requestOf(request);
    own.resetTimeout("5m");
    const owner: Custodian = custodianOf(response);
    const strange = new NotManagedError("request");
    response.end(`${connectionOf(request)?.phase} ${owner.signal.aborted} ${strange.code}`);
  });
  const options: ManageOptions = { safetyLimits: { responseTimeout: "30s" }, onDrain: ({ id }) => console.log(id) };
  const managed: Managed = manage(server, options);
  const group: Managed = manage([createServer(), createServer()]);
  const report: DrainReport = await managed.drain({ grace: "1s", delay: 0 });
  await group.close();
  console.log(managed.ready, managed.connections.countByPhase().idle, report.finished);
}

/** Forms. */
export async function form(request: FormDataRequest): Promise<FormDataStatus | string | null> {
  const formOptions: ParseFormDataOptions = { safetyLimits: { maxFormDataFiles: 1, maxFormDataFileLength: "5 MiB" } };
  try {
    const parsed: ParsedFormData = await parseFormData(request, formOptions);
    const first: FormDataValue | null = parsed.get("photo");
    const photo: FormDataFile | undefined = parsed.files[0];
    if (photo !== undefined && photo === first) photo.stream().pipe(process.stdout);
    for (const [name, value] of parsed) console.log(name, typeof value === "string" ? value : value.path);
    return parsed.fields.get("title")?.[0] ?? `${(await photo?.bytes())?.length}`;
  } catch (error) {
    if (error instanceof FormDataError) return error.limit === null ? error.status : `${error.limit} ${error.expected}`;
    if (error instanceof FormDataParserError) return error.code;
    throw error;
  }
}

/** Owners. */
export async function owners(parent: Custodian): Promise<ShutdownReport> {
  const own = parent.child("own");
  const box = makeCustodianBox(own, { secret: 1 });
  const secret: number | undefined = custodianBoxValue(box)?.secret;
  own.adopt(secret, () => undefined);
  own.defer((reason) => console.log(reason));
  const controller: AbortController = own.use(new AbortController());
  controller.signal.addEventListener("abort", () => console.log(own.signal.reason));
  own.run(() => currentCustodian().setTimeout(() => undefined, "1s"));
  const limit: Disposable = custodianLimitMemory(own, "10 MiB", parent);
  limit[Symbol.dispose]();
  if (isCustodian(own) && !isCustodianShutDown(own)) console.log(custodianManagedList(own, parent));
  return await custodianShutdownAll(own, "done");
}

/** Timers. */
export function timers(clock: ManualClock): boolean {
  const manager: TimerManager = startTimerManager({ clock, resolution: "10ms" });
  const timer: Timer = startTimer(manager, "1m", () => undefined);
  resetTimer(timer, "30s");
  incrementTimer(timer, -1);
  reviseTimer(timer, 1, () => console.log(timer.deadline));
  clock.advance("1s");
  return cancelTimer(timer) || (isTimer(timer) && isTimerManager(manager));
}

/** Events. */
export function events(): string[] {
  const collector = collectEvents();
  collector[Symbol.dispose]();
  return collector.events.map(({ name }) => name);
}

/** Errors have codes. */
export function code(error: unknown): string | undefined {
  if (error instanceof ArgumentTypeError || error instanceof ArgumentRangeError) return error.path;
  if (error instanceof ConnectionClosedError) return error.reason;
  if (error instanceof ListenError) return error.systemCode;
  if (error instanceof LimitNotEnforcedError) return error.limit;
  if (error instanceof ReaderLimitError) return `${error.limit}`;
  if (error instanceof UnexpectedEndError) return `${error.received}`;
  if (error instanceof FinalizerTimeoutError) return `${error.timeout}`;
  const others = [CustodianShutDownError, IllegalPhaseError, ManagerDisposedError, NoCurrentCustodianError];
  return others.some((kind) => error instanceof kind) ? (error as Error & { code: string }).code : undefined;
}
