/**
 * The library never logs: it publishes. Each event is one `node:diagnostics_channel` named `portreeve.<noun>.<event>`,
 * defined by the file that publishes it; logs, metrics and dashboards are subscribers. An event that nobody hears costs
 * one comparison.
 */
import { channel } from "node:diagnostics_channel";

/** One event: its name, whether anyone listens, and how to publish it. */
export interface EventChannel<Message extends object> {
  readonly name: string;
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
}

const names = new Set<string>();

/** Defines an event. The name is permanent: users subscribe to it by text. */
export function defineChannel<Message extends object>(name: `portreeve.${string}.${string}`): EventChannel<Message> {
  names.add(name);
  return channel(name) as EventChannel<Message>;
}

/** The names of the events that the loaded parts of Portreeve can publish, in the order of their definition. */
export function channelNames(): readonly string[] {
  return [...names];
}
