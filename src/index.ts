/**
 * Portreeve: the connection manager for Node.js servers. Every connection gets an owner, a deadline and a budget.
 *
 * ```ts
 * import { serve } from "portreeve";
 *
 * const server = await serve({
 *   port: 7000,
 *   readRequest: async (c) => {
 *     const line = await c.reader.line(512);
 *     return line === null ? null : { request: line, close: line === "quit" };
 *   },
 *   dispatch: (c, line) => c.output.write(`${line}\n`),
 * });
 * ```
 */

// The page: connections and their manager.
export {
  adjustConnectionTimeout,
  killConnection,
  newConnection,
  resetConnectionTimeout,
} from "./connection/racket-entries.ts";
export { isConnectionManager, startConnectionManager } from "./connection/connection-manager.ts";
export { connectionOf, isConnection } from "./connection/lookup.ts";

export { custodianOf, requestOf } from "./connection/managed-request.ts";

// Servers.
export { enforcedLimits, manage } from "./manage/manage.ts";
export { healthHandler } from "./manage/readiness.ts";
export { serve, servePorts } from "./server/dispatch-server.ts";

// Limits and owners.
export {
  isSafetyLimits,
  makeSafetyLimits,
  makeUnlimitedSafetyLimits,
  safetyLimitNames,
} from "./limits/safety-limits.ts";
export { makeCustodian } from "./custodian/make-custodian.ts";

// Errors.
export {
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
} from "./core/errors.ts";

export type { Clock, Wakeup } from "./core/clock.ts";
export type { Duration, Size } from "./core/units.ts";
export type { CloseReason } from "./connection/close-reason.ts";
export type { Connection } from "./connection/connection.ts";
export type {
  ConnectionErrorHandler,
  ConnectionManager,
  ConnectionManagerOptions,
} from "./connection/connection-manager.ts";
export type { ManagedRequest } from "./connection/managed-request.ts";
export type { Connections, ConnectionRegistry } from "./connection/registry.ts";
export type { Phase } from "./connection/phase.ts";
export type { InputPort, OutputPort } from "./connection/ports.ts";
export type { Reader } from "./connection/reader.ts";
export type { Custodian, ShutdownReport } from "./custodian/custodian.ts";
export type { CustodianOptions } from "./custodian/make-custodian.ts";
export type {
  CountPer,
  MinimumRate,
  SafetyLimitName,
  SafetyLimits,
  SafetyLimitsOptions,
} from "./limits/safety-limits.ts";
export type { Addresses, Dispatch, ReadRequest, ReadResult, RequestSource } from "./server/conversation.ts";
export type { CutConnection, DrainReport } from "./server/drain.ts";
export type { ConversationOptions, PortsToRealPorts, RealPorts, ServeOptions } from "./server/dispatch-server.ts";
export type { ManageOptions } from "./manage/manage.ts";
export type { Managed, ManagedDrainOptions } from "./manage/managed.ts";
export type { HealthHandler, HealthOptions } from "./manage/readiness.ts";
export type { DrainOptions, RunningServer } from "./server/running-server.ts";
export type { Timer } from "./timers/timer.ts";
