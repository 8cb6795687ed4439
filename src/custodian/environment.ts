/**
 * What a tree of custodians shares, and where the errors of its closers go.
 */
import { defineChannel } from "../core/channels.ts";
import { report } from "../core/report.ts";
import type { TimerManager } from "../timers/timer-manager.ts";
import type { Custodian } from "./custodian.ts";
import type { Finalizers } from "./finalizers.ts";

/** Inherited from parent to child, unless the child was given options of its own. */
export interface Environment {
  readonly timers: TimerManager;
  /** Milliseconds. */
  readonly finalizerTimeout: number;
  readonly finalizers: Finalizers;
  readonly onError: (error: Error, custodian: Custodian) => unknown;
}

const errorChannel = defineChannel<{ custodian: Custodian; error: Error }>("portreeve.custodian.error");

/** Publishes an error that has nobody to be thrown at, and hands it to the handler. */
export function reportError(error: Error, custodian: Custodian): void {
  if (errorChannel.hasSubscribers) errorChannel.publish({ custodian, error });
  report(custodian.environment.onError, error, custodian, "PortreeveCustodianWarning");
}
