/**
 * Refused clients that were told so and have not hung up yet. They are bounded in time and in number: a flood would
 * otherwise hold a descriptor for each of them.
 */
import type { Socket } from "node:net";
import { LinkedList } from "../core/linked-list.ts";
import type { Linked } from "../core/linked-list.ts";
import type { Timer } from "../timers/timer.ts";
import type { TimerManager } from "../timers/timer-manager.ts";

class Refused implements Linked<Refused> {
  readonly socket: Socket;
  readonly timer: Timer<Socket>;
  older: Refused | null = null;
  newer: Refused | null = null;
  place = 0;

  constructor(socket: Socket, timer: Timer<Socket>) {
    this.socket = socket;
    this.timer = timer;
  }
}

export class Refusals {
  readonly #timers: TimerManager;
  readonly #timeout: number;
  readonly #most: number;
  readonly #lingering: LinkedList<Refused> = new LinkedList();

  /**
   * @param timeout milliseconds that each of them may take
   * @param most how many may take that long; of more, the one that has had the longest time is cut
   */
  constructor(timers: TimerManager, timeout: number, most: number) {
    this.#timers = timers;
    this.#timeout = timeout;
    this.#most = most;
  }

  /** How many have not hung up. */
  get size(): number {
    return this.#lingering.size;
  }

  /** This socket was refused. It is closed by now, or will be. */
  add(socket: Socket): void {
    if (socket.destroyed) return;
    const refused = new Refused(socket, this.#timers.start(this.#timeout, cut, socket));
    this.#lingering.add(refused);
    socket.once("close", () => this.#remove(refused));
    const { oldest, size } = this.#lingering;
    if (oldest === null || size <= this.#most) return;
    this.#remove(oldest);
    oldest.socket.destroy();
  }

  #remove(refused: Refused): void {
    refused.timer.cancel();
    this.#lingering.remove(refused);
  }
}

function cut(socket: Socket): void {
  socket.destroy();
}
