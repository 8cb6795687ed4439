/**
 * Every error of Portreeve: a class, a stable code, and its facts as fields.
 */

/** A short, safe description of any value, for messages. Never throws, never runs the value's code. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
    case "bigint":
      return `${value}n`;
    case "symbol":
      return String(value);
    case "function":
      return "a function";
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? `an array of ${value.length}` : "an object";
    default:
      return String(value);
  }
}

function argumentMessage(path: string, expected: string, received: unknown): string {
  return `${path}: expected ${expected}, got ${describe(received)}`;
}

/** An argument or option is of the wrong type, or an option is unknown. */
export class ArgumentTypeError extends TypeError {
  readonly code = "ERR_PORTREEVE_ARGUMENT_TYPE";
  readonly path: string;
  readonly expected: string;

  constructor(path: string, expected: string, received: unknown) {
    super(argumentMessage(path, expected, received));
    this.name = "ArgumentTypeError";
    this.path = path;
    this.expected = expected;
  }
}

/** An argument or option has the right type and a value outside what is allowed: NaN, negative, a wrong unit. */
export class ArgumentRangeError extends RangeError {
  readonly code = "ERR_PORTREEVE_ARGUMENT_RANGE";
  readonly path: string;
  readonly expected: string;

  constructor(path: string, expected: string, received: unknown) {
    super(argumentMessage(path, expected, received));
    this.name = "ArgumentRangeError";
    this.path = path;
    this.expected = expected;
  }
}

/** What every other error of Portreeve extends. */
export abstract class PortreeveError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Something was put under a custodian that is shut down; it was closed at once. */
export class CustodianShutDownError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_CUSTODIAN_SHUT_DOWN";
}

/** `currentCustodian()` was called where no custodian is current. */
export class NoCurrentCustodianError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_NO_CURRENT_CUSTODIAN";
}

/** The value belongs to nothing under a connection manager. */
export class NotManagedError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_NOT_MANAGED";

  constructor(what: string) {
    super(`expected something that belongs to a ${what} on a server under a connection manager`);
  }
}

/** A closer was still at work when the finalizer timeout passed. `timeout` is in milliseconds. */
export class FinalizerTimeoutError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_FINALIZER_TIMEOUT";
  readonly timeout: number;

  constructor(what: string, timeout: number) {
    super(`${what} did not finish closing within ${timeout} ms`);
    this.timeout = timeout;
  }
}

/** A manager was used after it was disposed of. */
export class ManagerDisposedError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_MANAGER_DISPOSED";
}

/** Something was asked of a connection that has ended; `reason` says why it ended. */
export class ConnectionClosedError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_CONNECTION_CLOSED";
  readonly reason: string;

  constructor(reason: string) {
    super(`the connection has ended (${reason})`);
    this.reason = reason;
  }
}

/** The client ended in the middle of something; `received` bytes of it had come. */
export class UnexpectedEndError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_UNEXPECTED_END";
  readonly received: number;

  constructor(expected: string, received: number) {
    super(`the client ended after ${received} bytes of ${expected}`);
    this.received = received;
  }
}

/** The client sent more than the reader was told to accept; `limit` is in bytes. */
export class ReaderLimitError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_READER_LIMIT";
  readonly limit: number;

  constructor(what: string, limit: number) {
    super(`the client sent ${what} of more than ${limit} bytes`);
    this.limit = limit;
  }
}

/** A connection was asked to move to a phase that does not follow its own. */
export class IllegalPhaseError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_ILLEGAL_PHASE";
}

/** A server was started with a limit that it does not enforce; `limit` is its name. */
export class LimitNotEnforcedError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_LIMIT_NOT_ENFORCED";
  readonly limit: string;

  constructor(limit: string, server: string) {
    super(`safetyLimits.${limit}: ${server} does not enforce this limit; leave it at its default`);
    this.limit = limit;
  }
}

/** A server could not listen. `cause` is Node's error and `systemCode` its code, such as EADDRINUSE. */
export class ListenError extends PortreeveError {
  readonly code = "ERR_PORTREEVE_LISTEN";
  readonly systemCode: string;

  constructor(where: string, cause: NodeJS.ErrnoException) {
    const systemCode = cause.code ?? "unknown";
    super(`cannot listen on ${where}: ${listenFailures[systemCode] ?? cause.message} (${systemCode})`, { cause });
    this.systemCode = systemCode;
  }
}

const listenFailures: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is taken",
  EACCES: "permission denied",
  EADDRNOTAVAIL: "the address is not one of this machine",
  ENOTFOUND: "the host is unknown",
  ENOENT: "the folder of the socket does not exist",
};
