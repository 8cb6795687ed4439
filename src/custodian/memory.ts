/**
 * A limit on the bytes held below a custodian: what its streams buffer, plus what the program charges. JavaScript cannot
 * tell whose an object is, so unlike Racket's this limit counts bytes that are named. Racket entry:
 * `custodian-limit-memory`.
 */
import { size } from "../core/units.ts";
import type { Size } from "../core/units.ts";
import type { Timer } from "../timers/timer.ts";
import { checkCustodian } from "./custodian.ts";
import type { Custodian } from "./custodian.ts";
import { isCustodian } from "./member.ts";

const samplingInterval = 100;

/** Anything that says how many bytes it keeps in memory. */
interface Buffering {
  readableLength?: unknown;
  readableObjectMode?: unknown;
  writableLength?: unknown;
  writableObjectMode?: unknown;
  bufferedBytes?: unknown;
}

/**
 * Shuts `stop` down once the bytes held below `limit` exceed `bytes`: buffered in managed streams, or charged with
 * `custodian.charge`. Sampled every 100 ms and at each charge; a sample costs what is managed below `limit`. The limit
 * ends with `limit` or `stop`, or with the disposable that comes back.
 */
export function custodianLimitMemory(limit: Custodian, bytes: Size, stop: Custodian = limit): Disposable {
  checkCustodian(limit, "limit");
  checkCustodian(stop, "stop");
  const most = size(bytes, "bytes");
  let timer: Timer | undefined;
  const end = (): void => {
    unwatch();
    timer?.cancel();
  };
  const check = (): boolean => {
    if (limit.isShutDown || stop.isShutDown) end();
    else if (bytesHeld(limit) > most) {
      end();
      void stop.shutdownAll("memory limit");
    } else return true;
    return false;
  };
  const sample = (): void => {
    if (check()) timer = limit.environment.timers.start(samplingInterval, sample);
  };
  const unwatch = limit.charges.listen(check);
  sample();
  return { [Symbol.dispose]: end };
}

/** The bytes held below a custodian, charged or buffered. */
function bytesHeld(top: Custodian): number {
  let bytes = 0;
  const custodians = [top];
  for (let custodian = custodians.pop(); custodian !== undefined; custodian = custodians.pop()) {
    bytes += custodian.charged;
    for (const value of custodian.managedList()) {
      if (isCustodian(value)) custodians.push(value);
      else bytes += bytesBuffered(value);
    }
  }
  return bytes;
}

function bytesBuffered(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const { readableLength, readableObjectMode, writableLength, writableObjectMode, bufferedBytes } = value as Buffering;
  return (
    (readableObjectMode === true ? 0 : count(readableLength)) +
    (writableObjectMode === true ? 0 : count(writableLength)) +
    count(bufferedBytes)
  );
}

function count(bytes: unknown): number {
  return typeof bytes === "number" ? bytes : 0;
}
