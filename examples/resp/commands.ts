/**
 * What the server can do: one row a command.
 */
import { array, bulk, error, nothing, ok, simple, unknownCommand } from "./replies.ts";
import type { Reply } from "./replies.ts";

/** Keys and values, up to a number of bytes in all. */
export class Store {
  readonly #values: Map<string, Buffer> = new Map();
  readonly #capacity: number;
  #size = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: Buffer): Buffer | undefined {
    return this.#values.get(key.toString("latin1"));
  }

  /** @returns false when there is no room */
  set(key: Buffer, value: Buffer): boolean {
    const before = this.get(key);
    const grown = value.length - (before === undefined ? -key.length : before.length);
    if (this.#size + grown > this.#capacity) return false;
    this.#size += grown;
    // What the reader gives is a view of what was received: the rest of it would be kept too.
    this.#values.set(key.toString("latin1"), Buffer.from(value));
    return true;
  }
}

interface Command {
  /** How many words it takes, its own name among them. */
  readonly words: readonly [least: number, most: number];
  run(store: Store, words: readonly Buffer[]): Reply;
}

/** What redis-benchmark wants to know. */
const settings: Readonly<Record<string, string>> = { save: "", appendonly: "no" };

const commands: Readonly<Record<string, Command>> = {
  ping: { words: [1, 2], run: (_store, [, text]) => (text === undefined ? [simple("PONG")] : bulk(text)) },
  // With this one redis-cli --pipe finds the end of the replies.
  echo: { words: [2, 2], run: (_store, [, text = Buffer.of()]) => bulk(text) },
  get: {
    words: [2, 2],
    run(store, [, key = Buffer.of()]) {
      const value = store.get(key);
      return value === undefined ? [nothing] : bulk(value);
    },
  },
  set: {
    words: [3, Infinity],
    run(store, [, key = Buffer.of(), value = Buffer.of(), option]) {
      if (option !== undefined) return [error("ERR syntax error")];
      return [store.set(key, value) ? ok : error("OOM command not allowed when used memory > 'maxmemory'.")];
    },
  },
  config: {
    words: [2, Infinity],
    run(_store, [, verb, ...names]) {
      if (!/^get$/i.test(String(verb)))
        return [error(`ERR unknown subcommand '${verb?.toString("latin1", 0, 128)}'. Try CONFIG HELP.`)];
      const known = names.map(String).filter((name) => Object.hasOwn(settings, name));
      return array(known.flatMap((name) => [name, settings[name] ?? ""]));
    },
  },
  // redis-cli asks for its table of commands, and has one of its own where there is none.
  command: { words: [1, Infinity], run: () => array([]) },
  quit: { words: [1, Infinity], run: () => [ok] },
};

export function run(store: Store, words: readonly Buffer[]): Reply {
  const name = words[0]?.toString("latin1").toLowerCase() ?? "";
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return [unknownCommand(words)];
  const [least, most] = command.words;
  if (words.length < least || words.length > most) {
    return [error(`ERR wrong number of arguments for '${name}' command`)];
  }
  return command.run(store, words);
}
