/**
 * Collects the events that Portreeve publishes, for assertions.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { channelNames } from "../core/channels.ts";
import { ArgumentTypeError } from "../core/errors.ts";

/** One published event. */
export interface CollectedEvent {
  /** Such as `portreeve.connection.closed`. */
  readonly name: string;
  readonly message: unknown;
}

/** Subscribed from its construction until it is disposed of. */
export class EventCollector {
  readonly events: CollectedEvent[] = [];
  readonly #names: readonly string[];
  readonly #listen: (message: unknown, name: string | symbol) => void;

  /** @param names what to collect; by default every event that the loaded parts define */
  constructor(names: readonly string[] = channelNames()) {
    this.#names = names;
    this.#listen = (message, name) => this.events.push({ name: String(name), message });
    for (const name of names) subscribe(name, this.#listen);
  }

  /** The messages of one event so far, in order. */
  messages(name: string): unknown[] {
    return this.events.filter((event) => event.name === name).map((event) => event.message);
  }

  [Symbol.dispose](): void {
    for (const name of this.#names) unsubscribe(name, this.#listen);
  }
}

/** Starts collecting. The caller disposes of it. */
export function collectEvents(names?: readonly string[]): EventCollector {
  if (names !== undefined && !(Array.isArray(names) && names.every((name) => typeof name === "string"))) {
    throw new ArgumentTypeError("names", "an array of event names", names);
  }
  return new EventCollector(names);
}
