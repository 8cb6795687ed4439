/**
 * What the kernel of this machine still holds of what was sent: bytes that the other side has not acknowledged. Nothing in
 * Node tells, and what a kernel buffers of one large write may be minutes of a slow client's time. Linux keeps a table of
 * all sockets; it is read for all who ask together, piece by piece, with fifty times as long a rest afterwards, or 5 s.
 */
import { createReadStream } from "node:fs";
import type { Socket } from "node:net";
import { isIPv4 } from "node:net";
import { endianness } from "node:os";
import type { Clock, Wakeup } from "../core/clock.ts";

/** Told how many bytes there are; undefined where nobody knows. */
export type Answer = (unacknowledged: number | undefined) => void;

/** Milliseconds of rest for each that a reading took, and the longest rest. */
const restPerMs = 50;
const longestRest = 5000;
const tables = { IPv4: "tcp", IPv6: "tcp6" } as const;
type Family = keyof typeof tables;

export class KernelTable {
  readonly #clock: Clock;
  readonly #folder: string;
  /** By family, and by both addresses as the table writes them. */
  #asked: Record<Family, Map<string, Answer>> = noQuestions();
  /** Whether a reading is on its way, or will be after a rest. */
  #busy = false;
  #restsUntil = -Infinity;
  #wakeup: Wakeup = undefined;
  /** Whether there is no such table here. */
  #missing = false;

  /** @param folder where the tables are */
  constructor(clock: Clock, folder: string = "/proc/self/net") {
    this.#clock = clock;
    this.#folder = folder;
  }

  /** Asks for one socket. The answer comes later, and in the same call only where there is nobody to ask. */
  ask(socket: Socket, answer: Answer): void {
    const { localAddress, remoteAddress, localPort, remotePort } = socket;
    if (this.#missing || localAddress === undefined || remoteAddress === undefined) {
      answer(undefined);
      return;
    }
    const family = socket.remoteFamily === "IPv6" ? "IPv6" : "IPv4";
    const key = `${written(localAddress, localPort, family)} ${written(remoteAddress, remotePort, family)}`;
    this.#asked[family].set(key, answer);
    if (!this.#busy) this.#begin();
  }

  /** Nobody asks any more. */
  stop(): void {
    this.#asked = noQuestions();
    this.#clock.cancelWakeup(this.#wakeup);
    if (this.#wakeup !== undefined) this.#busy = false;
    this.#wakeup = undefined;
  }

  #begin(): void {
    this.#busy = true;
    const rest = this.#restsUntil - this.#clock.now();
    if (rest > 0) this.#wakeup = this.#clock.wakeAfter(rest, this.#read);
    else void this.#read();
  }

  readonly #read = async (): Promise<void> => {
    this.#wakeup = undefined;
    const asked = this.#asked;
    this.#asked = noQuestions();
    const begun = this.#clock.now();
    await this.#answer("IPv4", asked.IPv4);
    await this.#answer("IPv6", asked.IPv6);
    const ended = this.#clock.now();
    this.#restsUntil = ended + Math.min(longestRest, restPerMs * (ended - begun));
    this.#busy = false;
    if (this.#asked.IPv4.size + this.#asked.IPv6.size > 0) this.#begin();
  };

  /** Never rejects. */
  async #answer(family: Family, questions: Map<string, Answer>): Promise<void> {
    try {
      if (questions.size > 0) await answerFrom(`${this.#folder}/${tables[family]}`, questions);
    } catch (error) {
      // Anything else, as of too few descriptors, may be over the next time.
      this.#missing ||= (error as NodeJS.ErrnoException).code === "ENOENT";
    }
    for (const answer of questions.values()) answer(undefined);
  }
}

function noQuestions(): Record<Family, Map<string, Answer>> {
  return { IPv4: new Map(), IPv6: new Map() };
}

/** Those that are in the table are answered, and no longer asked. */
async function answerFrom(path: string, questions: Map<string, Answer>): Promise<void> {
  let rest = "";
  for await (const chunk of createReadStream(path, "latin1") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, local, remote, , queues] = line.trim().split(/ +/, 5);
      const key = `${local} ${remote}`;
      const answer = questions.get(key);
      if (answer === undefined) continue;
      questions.delete(key);
      const unacknowledged = Number.parseInt(queues ?? "", 16);
      answer(Number.isNaN(unacknowledged) ? undefined : unacknowledged);
    }
  }
}

/** As the table writes it: words of four bytes in the order of this machine, a colon, the port; all in hexadecimal. */
function written(address: string, port: number | undefined, family: Family): string {
  const bytes = family === "IPv4" ? address.split(".").map(Number) : bytesOf(address);
  let text = "";
  for (let i = 0; i < bytes.length; i += 4) {
    const word = bytes.slice(i, i + 4);
    text += (endianness() === "LE" ? word.toReversed() : word).map((byte) => hex(byte, 2)).join("");
  }
  return `${text}:${hex(port ?? 0, 4)}`;
}

/** The bytes of an IPv6 address, as Node writes them: with or without a zone, and with an IPv4 address at its end or not. */
function bytesOf(address: string): number[] {
  const [head = "", tail] = (address.split("%", 1)[0] ?? "").split("::");
  const begin = bytesOfGroups(head);
  const end = bytesOfGroups(tail ?? "");
  return [...begin, ...Array.from({ length: 16 - begin.length - end.length }, () => 0), ...end];
}

function bytesOfGroups(groups: string): number[] {
  if (groups === "") return [];
  return groups.split(":").flatMap((group) => {
    if (isIPv4(group)) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
