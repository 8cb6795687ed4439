/** Compares what the clients say they did with what the servers saw, connection by connection. */
import { parts } from "./parts.ts";
import type { Ended, Played } from "./script.ts";

export class Judge {
  /** What has not found its counterpart, by the ports of both sides, in the order in which it came. */
  readonly #played: Map<string, Played[]> = new Map();
  readonly #ended: Map<string, Ended[]> = new Map();
  readonly #reasons: Map<string, number> = new Map();
  readonly #faults: string[] = [];
  #matched = 0;
  #ends = 0;
  #plays = 0;
  /** Errors of the program's that the scripts asked for. */
  thrown = 0;

  get played(): number {
    return this.#plays;
  }

  get ended(): number {
    return this.#ends;
  }

  /** Pairs of a client and a connection. */
  get matched(): number {
    return this.#matched;
  }

  /** How many connections ended for each reason. */
  get reasons(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#reasons].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Whatever did not go as scripted. */
  get faults(): readonly string[] {
    const left = [...this.#played.values()].flat().map((played) => `no connection was seen of ${named(played)}`);
    const unknown = [...this.#ended.values()].flat().map(({ reason }) => `nobody knows of a connection (${reason})`);
    return [...this.#faults, ...left, ...unknown];
  }

  clientPlayed(played: Played): void {
    this.#plays++;
    this.thrown += parts[played.part]?.script.errors ?? 0;
    put(this.#played, played);
    this.#match(played);
  }

  connectionEnded(ended: Ended): void {
    this.#ends++;
    this.#reasons.set(ended.reason, (this.#reasons.get(ended.reason) ?? 0) + 1);
    put(this.#ended, ended);
    this.#match(ended);
  }

  #match(ports: Ports): void {
    const played = this.#played.get(keyOf(ports));
    const ended = this.#ended.get(keyOf(ports));
    if (played === undefined || ended === undefined) return;
    const [client] = played.splice(0, 1);
    const [connection] = ended.splice(0, 1);
    if (played.length === 0) this.#played.delete(keyOf(ports));
    if (ended.length === 0) this.#ended.delete(keyOf(ports));
    if (client !== undefined && connection !== undefined) this.#compare(client, connection);
  }

  #compare(client: Played, { reason, limit }: Ended): void {
    this.#matched++;
    const script = parts[client.part]?.script;
    const hasLimit = script?.limit === undefined || script.limit === limit;
    if (client.failure === null && reason === script?.reason && hasLimit) return;
    const saw = client.failure === null ? "" : `; the client: ${client.failure}`;
    this.#faults.push(`${named(client)}: expected ${script?.reason}, ended for ${reason} (${limit})${saw}`);
  }
}

interface Ports {
  readonly port: number;
  readonly clientPort: number;
}

function keyOf({ port, clientPort }: Ports): string {
  return `${port} ${clientPort}`;
}

function put<T extends Ports>(map: Map<string, T[]>, value: T): void {
  const list = map.get(keyOf(value)) ?? [];
  map.set(keyOf(value), list);
  list.push(value);
}

function named({ part }: Played): string {
  return parts[part]?.name ?? "a client";
}
